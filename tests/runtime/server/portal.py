"""The portal as a model server sees it: models, keys, and a place for records."""

import base64
import json
import threading
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from berth.bundle import Bundle
from berth.journal import SEPARATOR, records_of
from berth.keys import digest, new_secret
from tests.runtime.feed.fake import FakePortal, _Handler, _Server

ACME = "0193b0f0-0000-7000-8000-000000000001"
PLENTY = 1_000_000


class ServerPortal(FakePortal):
    """Serves what it is told to any number of model servers."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        super().__init__(key)
        self.token = "st_test"
        self.keys: list[dict[str, Any]] = []
        self.shipped: dict[str, bytes] = {}
        self.takes = 204  # what a shipped file is answered

    @property
    def public_text(self) -> str:
        """The installation's public key, as an operator pins it."""
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def promote(self, bundle: Bundle, version: int, model: str = "pay", **change: Any) -> int:
        change.setdefault("architectures", ["embedded", "dedicated"])
        return super().promote(bundle, version, model, **change)

    def issue(self, organisation_id: str = ACME, **change: Any) -> str:
        """A secret key that may predict; its text."""
        id_, text = new_secret()
        self.write_key(
            {
                "key": id_,
                "organisation": "acme",
                "organisation_id": organisation_id,
                "kind": "secret",
                "digest": digest(text),
                "scopes": ["predict"],
                "calls_per_minute": PLENTY,
                "organisation_calls_per_minute": PLENTY,
                "revoked": False,
                **change,
            }
        )
        return text

    def revoke(self, text: str) -> None:
        issued = next(known for known in self.keys if known["digest"] == digest(text))
        self.write_key({**issued, "revoked": True})

    def write_key(self, document: dict[str, Any]) -> None:
        with self.news:
            self.keys.append({**document, "position": len(self.keys) + 1})
            self.news.notify_all()

    def records(self) -> list[tuple[list[Any], dict[str, Any], dict[str, Any]]]:
        """What was shipped: about, request and response of each record."""
        found = []
        for data in self.shipped.values():
            for record in records_of(data)[0]:
                about, request, response = map(json.loads, record.split(SEPARATOR))
                found.append((about, request, response))
        return found

    def up(self) -> None:
        portal = self

        class Handler(_ServerHandler):
            fake = portal

        self.server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


class _ServerHandler(_Handler):
    fake: ServerPortal

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        feeds: dict[str, Sequence[dict[str, Any]]] = {
            "/api/v1/server/models": self.fake.lines,
            "/api/v1/server/keys": self.fake.keys,
        }
        if path in feeds:
            if not self._refused():
                self._page(feeds[path])
        elif path == "/api/v1/server/public-key":
            self._answer(200, json.dumps({"ed25519": self.fake.public_text}).encode())
        else:
            super().do_GET()

    def do_POST(self) -> None:
        if self.path != "/api/v1/server/predictions":
            return super().do_POST()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._refused():
            if self.fake.takes == 204:
                self.fake.shipped[self.headers["X-Journal-Name"]] = body
            problem = b'{"type": "/api/problems/bad_journal"}' if self.fake.takes == 422 else b""
            self.send_response(self.fake.takes)
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(problem)))
            self.end_headers()
            self.wfile.write(problem)
        return None

    def _page(self, lines: Sequence[dict[str, Any]]) -> None:
        query = {k: int(v[0]) for k, v in parse_qs(urlsplit(self.path).query).items()}
        server, after = self.fake.server, query["after"]
        with self.fake.news:
            self.fake.news.wait_for(
                lambda: len(lines) > after or self.fake.server is not server, query["wait"]
            )
            items = lines[after : after + query.get("limit", 100)]
        if not isinstance(self.fake.server, ThreadingHTTPServer) or self.fake.server is not server:
            self.close_connection = True
            return
        numbered = [{**item, "position": after + n} for n, item in enumerate(items, 1)]
        self._answer(200, json.dumps({"items": numbered, "next": after + len(items)}).encode())
