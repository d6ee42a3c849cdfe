"""The RSGI application: an address and a key in, the protocol's answer out.

RSGI: https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any, Protocol

import orjson

from berth.buckets import Buckets
from berth.server import batching, binary, bodies, metadata, metrics, openapi, routes
from berth.server.batching import Batches
from berth.server.errors import ProtocolError
from berth.server.inference import Answer, Call, Inference
from berth.server.keyring import Key, KeyRing, bearer
from berth.server.metrics import Metrics
from berth.server.outputs import Written
from berth.server.shelf import Copy

log = logging.getLogger("berth.server")
#: A body up to here is answered in the event loop, unless its model is a slow one: it takes about
#: as long as the way to a thread and back. A larger one goes to a thread, and the loop stays free.
INLINE_BYTES = 4_096
_OF_A_PROXY = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_JSON = ("content-type", "application/json")
_BUSY = 2  # threads for large calls: onnxruntime computes without the interpreter's lock
_LOADING = 2  # threads of their own for models that must be loaded first


class Scope(Protocol):
    """The part of Granian's RSGI scope that is used here."""

    method: str
    path: str
    client: str

    @property
    def headers(self) -> bodies.Headers: ...


class Application:
    """One process's door. `missing` says what keeps it from being ready: nothing, if it is."""

    def __init__(
        self,
        inference: Inference,
        ring: KeyRing,
        figures: Metrics,
        missing: Callable[[], list[str]],
        *,
        token: str = "",
        metrics_need_key: bool = False,
    ) -> None:
        """`token` is the operator's, which may see all metrics; so may this machine, unless
        `metrics_need_key`."""
        self.inference = inference
        self.shelf = inference.shelf
        self.ring = ring
        self.buckets = Buckets()
        self.batches = Batches(inference.write)
        self.figures = figures
        self.missing = missing
        self._token = token.encode()
        self._metrics_need_key = metrics_need_key
        self._busy = ThreadPoolExecutor(_BUSY, "berth-busy")
        self._loading = ThreadPoolExecutor(_LOADING, "berth-loading")
        self._reads: dict[str, Callable[[routes.Route, Scope], Awaitable[Written]]] = {
            "server": self._server,
            "live": self._live,
            "ready": self._ready,
            "openapi": self._openapi,
            "metrics": self._metrics,
            "model": self._model,
            "model_ready": self._model_ready,
        }

    async def __call__(self, scope: Scope, conversation: bodies.Conversation) -> None:
        """Answer one request; whatever happens, in the protocol's form."""
        started = time.perf_counter()
        name, status = "unknown", 200
        try:
            route = routes.find(scope.path)
            name = route.name
            routes.check_method(route, scope.method)
            if name == "infer":
                written = await self._infer(route, scope, conversation)
            else:
                written = await self._reads[name](route, scope)
        except ProtocolError as error:
            status, written = error.status, _refusal(error)
        except Exception:  # the protocol has an answer for what went wrong, too
            log.exception("A call of %s failed.", name)
            status, written = 500, _refusal(ProtocolError(500, "Something went wrong here."))
        conversation.response_bytes(status, written.headers, written.body)
        self.figures.request(name, status, time.perf_counter() - started)

    def close(self) -> None:
        """Wait for what is under way."""
        self._busy.shutdown()
        self._loading.shutdown()

    async def _infer(
        self, route: routes.Route, scope: Scope, conversation: bodies.Conversation
    ) -> Written:
        headers = scope.headers
        key = self._admitted(headers)
        copy = self.shelf.find(key.organisation_id, route.model, route.version)
        body = await bodies.received(conversation, headers)
        call = Call(
            copy,
            key,
            body,
            headers.get("content-encoding"),
            headers.get(binary.HEADER),
            headers.get("accept-encoding"),
        )
        answer = await self._answered(call)
        self.figures.predicted(key.organisation, copy.model, answer.rows)
        return answer.written

    async def _answered(self, call: Call) -> Answer:
        """Quick calls here and now, others in a thread: the loop must not wait for them."""
        predictor = self.shelf.loaded.peek(call.copy.sha256)
        if predictor and call.encoding is None and len(call.body) <= INLINE_BYTES:
            question = self.inference.read(call, predictor)
            if batching.is_quick(predictor, question.columns):
                return await self.batches.answer(predictor, question)
            loop = asyncio.get_running_loop()
            predicted = await loop.run_in_executor(
                self._busy, batching.predict, predictor, question.columns
            )
            (answer,) = self.inference.write([(question, predicted)])
            return answer
        threads = self._busy if predictor else self._loading
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, self.inference.answer, call)

    def _admitted(self, headers: bodies.Headers) -> Key:
        key = self.ring.find(headers.get("authorization"))
        wait = self.buckets.wait(key.buckets) / 1000
        if wait > 0:
            detail = f"The limit of calls is reached; the next is possible in {wait:.1f} s."
            raise ProtocolError(429, detail, ("retry-after", str(math.ceil(wait))))
        return key

    def _found(self, route: routes.Route, scope: Scope) -> Copy:
        key = self.ring.find(scope.headers.get("authorization"))
        return self.shelf.find(key.organisation_id, route.model, route.version)

    async def _server(self, route: routes.Route, scope: Scope) -> Written:
        return _json(metadata.server())

    async def _live(self, route: routes.Route, scope: Scope) -> Written:
        return _json({"live": True})

    async def _ready(self, route: routes.Route, scope: Scope) -> Written:
        """The specification says `live`, its implementations `ready`: clients find both."""
        missing = self.missing()
        if missing:
            raise ProtocolError(503, f"Not ready: {'; '.join(missing)}.")
        return _json({"live": True, "ready": True})

    async def _model(self, route: routes.Route, scope: Scope) -> Written:
        copy = self._found(route, scope)
        versions = self.shelf.versions(copy)
        return _json(metadata.model(copy.model, versions, copy.version, copy.signature))

    async def _model_ready(self, route: routes.Route, scope: Scope) -> Written:
        """Ready is what can answer: loaded, or loaded now."""
        copy = self._found(route, scope)
        if self.shelf.loaded.peek(copy.sha256) is None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._loading, self.shelf.predictor, copy)
        return _json({"name": copy.model, "ready": True})

    async def _openapi(self, route: routes.Route, scope: Scope) -> Written:
        return _json(openapi.document())

    async def _metrics(self, route: routes.Route, scope: Scope) -> Written:
        text = self.figures.text(self._whose(scope)).encode()
        return Written(text, [("content-type", metrics.CONTENT_TYPE)])

    def _whose(self, scope: Scope) -> str | None:
        """The organisation whose figures alone may be seen; None for the operator, who sees all.

        Raises ProtocolError 401, 403. A key that is sent counts, wherever from; without one this
        machine is the operator, but not a proxy on it, which says for whom it asks.
        """
        authorization = scope.headers.get("authorization")
        if authorization is None and not self._metrics_need_key and _is_local(scope):
            return None
        given = bearer(authorization).encode()
        if self._token and compare_digest(given, self._token):
            return None
        return self.ring.find(authorization).organisation


def _is_local(scope: Scope) -> bool:
    host = scope.client.rsplit(":", 1)[0].strip("[]")
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        return False
    return local and not any(scope.headers.get(name) for name in _OF_A_PROXY)


def _json(content: dict[str, Any]) -> Written:
    return Written(orjson.dumps(content), [_JSON])


def _refusal(error: ProtocolError) -> Written:
    return Written(orjson.dumps({"error": error.detail}), [_JSON, *error.headers])
