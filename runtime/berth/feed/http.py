"""HTTP as a follower needs it: JSON, files that resume, and calls that can be broken off."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import orjson
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from berth import __version__

_CONNECT = 5.0  # seconds
READ = 10.0  # seconds of silence
_MOST_JSON = 256 << 20  # bytes
_CHUNK = 1 << 16
# A file must come in one minute and then at this rate at least, or the attempt ends.
_PATIENCE = 60.0
_SLOWEST = 50_000  # bytes a second


class FetchError(Exception):
    """What was asked for did not come; `code` says why.

    `unreachable`, `denied` (401, 403), `missing` (404), `rewound` (409: the feed ends before what
    was read of it), `failed` (any other status), `broken_off`, `too_slow`, `too_large`, `no_json`.
    `status` is the answer's, 0 without one; `problem` the portal's own code (RFC 9457), empty where
    something before it answered.
    """

    def __init__(self, code: str, detail: str, status: int = 0, problem: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.problem = problem


class Http:
    """One place and one token. Safe to use from many threads; honours HTTPS_PROXY."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        verify_tls: bool | str | ssl.SSLContext = True,
        silence: float = READ,
    ) -> None:
        """`verify_tls` is False (for a test alone), a file of certificates, or a context;
        `silence`: seconds that get_json's answer may take beyond its wait."""
        self.base_url = base_url.rstrip("/") + "/"
        self.closed = threading.Event()
        self._token = token
        self._silence = silence
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._pools = _pools(self.base_url, verify_tls, self._opened)

    def get_json(self, path: str, query: Mapping[str, str | int], *, wait: float = 0) -> Any:
        """The answer's JSON; the other side may take `wait` seconds. Raises FetchError."""
        return self._json("GET", path, fields=query, patience=wait + self._silence)

    def post_json(self, path: str, document: object) -> Any:
        """Send JSON; the answer's JSON, None where it is empty. Raises FetchError."""
        headers = {"Content-Type": "application/json"}
        return self._json("POST", path, body=orjson.dumps(document), headers=headers)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send bytes; the answer's body does not matter. Raises FetchError."""
        with self._open("POST", path, READ, headers, body=body) as response:
            response.drain_conn()

    def download(self, address: str, into: Path, size: int, etag: str) -> None:
        """Bring the file of `size` bytes to `into`, going on where an earlier attempt ended.

        `address` is below the base or absolute. What came so far stays when it breaks off.
        Raises FetchError, OSError.
        """
        end = time.monotonic() + _PATIENCE + size / _SLOWEST
        while True:
            before = into.stat().st_size if into.exists() else 0
            try:
                return self._resume(address, into, size, etag, end)
            except FetchError as error:
                came = into.stat().st_size if into.exists() else 0
                if error.code != "broken_off" or came <= before or self.closed.is_set():
                    raise

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until close()."""
        self.closed.wait(seconds)

    def close(self) -> None:
        """End what runs in any thread, and refuse what comes after."""
        self.closed.set()
        for known in list(self._sockets):
            _cut(known)
        self._pools.clear()

    def _opened(self, new: socket.socket) -> None:
        self._sockets.add(new)
        if self.closed.is_set():  # close() may have looked through them just before
            _cut(new)

    def _json(self, method: str, path: str, patience: float = READ, **more: Any) -> Any:
        response = self._open(method, path, patience, **more)
        with response:
            try:
                body = response.read(_MOST_JSON)
                return orjson.loads(body) if body else None
            except urllib3.exceptions.HTTPError as error:
                raise FetchError("broken_off", f"The answer broke off: {error}.") from error
            except orjson.JSONDecodeError as error:
                raise FetchError("no_json", f"{path} answered what is no JSON.") from error

    def _resume(self, address: str, into: Path, size: int, etag: str, end: float) -> None:
        have = into.stat().st_size if into.exists() else 0
        if have == size:
            return
        if have > size:
            into.unlink()
            have = 0
        headers = {"Range": f"bytes={have}-", "If-Range": f'"{etag}"'} if have else {}
        with self._open("GET", address, READ, headers=headers) as response:
            mode = "ab" if response.status == 206 else "wb"
            with into.open(mode) as file:
                self._copy(response, file.write, size - (have if mode == "ab" else 0), end)

    def _copy(
        self,
        response: urllib3.BaseHTTPResponse,
        write: Callable[[bytes], int],
        left: int,
        end: float,
    ) -> None:
        try:
            while chunk := response.read1(_CHUNK):  # what is there: none of it may be lost
                left -= len(chunk)
                if left < 0:
                    raise FetchError("too_large", "More bytes came than the manifest names.")
                write(chunk)
                if time.monotonic() > end:
                    raise FetchError("too_slow", f"The file came too slowly; {left:,} bytes lack.")
        except urllib3.exceptions.HTTPError as error:
            raise FetchError("broken_off", f"The file broke off: {error}.") from error
        if left:
            raise FetchError("broken_off", f"The file broke off; {left:,} bytes lack.")

    def _open(
        self,
        method: str,
        path: str,
        patience: float,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> urllib3.BaseHTTPResponse:
        """The answer, its body not yet read. Raises FetchError unless it is 200 to 299."""
        if self.closed.is_set():
            raise FetchError("unreachable", "The feed was closed.")
        url = urljoin(self.base_url, path.lstrip("/"))
        try:
            response = self._pools.request(
                method,
                url,
                headers={**self._headers(url), **(headers or {})},
                timeout=urllib3.Timeout(connect=_CONNECT, read=patience),
                preload_content=False,
                retries=False,  # also: no redirects, which would carry the token elsewhere
                **more,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise FetchError("unreachable", f"{self.base_url} can't be reached: {error}") from error
        if 200 <= response.status < 300:
            return response
        problem = _problem_of(response)
        response.drain_conn()
        response.release_conn()
        raise _status_error(response.status, path, problem)

    def _headers(self, url: str) -> dict[str, str]:
        """The token goes to the place that it is for, and to no other that a line names."""
        headers = {"User-Agent": f"berth/{__version__}", "Accept-Encoding": "identity"}
        if urlsplit(url)[:2] == urlsplit(self.base_url)[:2]:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers


def _cut(known: socket.socket) -> None:
    """Wake whoever reads from it. By the base class: an SSLSocket's own method would forget
    the state that the reading thread is using."""
    with suppress(OSError):  # it is closed already
        socket.socket.shutdown(known, socket.SHUT_RDWR)


def _problem_of(response: urllib3.BaseHTTPResponse) -> str:
    if response.headers.get("Content-Type") != "application/problem+json":
        return ""
    with suppress(urllib3.exceptions.HTTPError, orjson.JSONDecodeError, AttributeError):
        return str(orjson.loads(response.read(_CHUNK)).get("type", "")).rpartition("/")[2]
    return ""


_REWOUND = (
    "The portal was restored from a backup older than what was read of it: stop, delete this"
    " follower's folder and start again"
)


def _status_error(status: int, path: str, problem: str) -> FetchError:
    codes = {401: "denied", 403: "denied", 404: "missing", 409: "rewound"}
    says = {"denied": "The key is not taken", "missing": "It is not there", "rewound": _REWOUND}
    code = codes.get(status, "failed")
    return FetchError(
        code, f"{says.get(code, 'It failed')}: {path} answered {status}.", status, problem
    )


def _pools(
    base_url: str, verify: bool | str | ssl.SSLContext, opened: Callable[[socket.socket], None]
) -> urllib3.PoolManager:
    """Connection pools that tell of each socket, so that close() can end a long poll."""
    parts = urlsplit(base_url)
    context = _context(verify) if parts.scheme == "https" else None
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    pools = (
        urllib3.ProxyManager(proxy, ssl_context=context, maxsize=8)
        if proxy
        else urllib3.PoolManager(ssl_context=context, maxsize=8)
    )

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    pools.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pools


def _context(verify: bool | str | ssl.SSLContext) -> ssl.SSLContext:
    if isinstance(verify, ssl.SSLContext):
        return verify
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
