"""A small portal: a feed, its bundles and its reports, that can lie, be slow and break off."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.bundle import Bundle
from berth.feed.manifest import sealed
from tests.runtime.feed.lines import line, withdrawn


class FakePortal:
    """Serves what it is told. Change the attributes while it runs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self.key = key
        self.lines: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.reports: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str | None]] = []  # path and Range of each file's request
        self.token = "sk_test"
        self.status = 0  # answer everything with this
        self.cut_after = 0  # bytes of a file, then the line goes dead; 0: whole
        self.byte_delay = 0.0  # seconds before each kilobyte of a file
        self.tamper: Callable[[dict[str, Any]], dict[str, Any]] = dict
        self.waiting = 0  # long polls
        self.news = threading.Condition()
        self.server: ThreadingHTTPServer | None = None
        self.port = 0
        self.tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def promote(self, bundle: Bundle, version: int, model: str = "pay", **change: Any) -> int:
        """Store the bundle and write its line; the line's offset."""
        self.files[bundle.sha256] = bundle.data
        return self.write({**line(bundle, len(self.lines) + 1, version, model), **change})

    def withdraw(self, model: str = "pay") -> int:
        return self.write(withdrawn(len(self.lines) + 1, model))

    def write(self, document: dict[str, Any]) -> int:
        with self.news:
            self.lines.append(sealed(document, self.key))
            self.news.notify_all()
        return int(document["offset"])

    def up(self) -> None:
        """Listen, on the port that it had before if it had one."""
        portal = self

        class Handler(_Handler):
            fake = portal

        self.server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        if self.tls is not None:
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Gone, and so is every open connection."""
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        with self.news:
            self.news.notify_all()

    def newest_report(self, model: str = "pay") -> dict[str, Any]:
        """The newest report's line about the model, empty where there is none."""
        for report in reversed(self.reports):
            for found in report["models"]:
                if found["model"] == model:
                    return dict(found)
        return {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakePortal

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self._refused():
            return
        if path == "/api/v1/feed":
            self._feed()
        elif (sha256 := path.removeprefix("/api/v1/bundles/")) in self.fake.files:
            self._file(self.fake.files[sha256])
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._refused():
            self.fake.reports.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

    def _refused(self) -> bool:
        ours = self.headers["Authorization"] == f"Bearer {self.fake.token}"
        status = self.fake.status or (0 if ours else 401)
        if status:
            self.send_error(status)
        return bool(status) or self.fake.server is None

    def _feed(self) -> None:
        query = {
            name: int(values[0]) for name, values in parse_qs(urlsplit(self.path).query).items()
        }
        server, after = self.fake.server, query["after"]
        with self.fake.news:
            self.fake.waiting += bool(query["wait"])
            self.fake.news.wait_for(
                lambda: len(self.fake.lines) > after or self.fake.server is not server,
                query["wait"],
            )
            self.fake.waiting -= bool(query["wait"])
            items = self.fake.lines[after : after + query["limit"]]
        if self.fake.server is not server:
            self.close_connection = True
            return
        told = [self.fake.tamper(item) for item in items]
        self._answer(200, json.dumps({"items": told, "next": after + len(items)}).encode())

    def _file(self, data: bytes) -> None:
        wanted = self.headers["Range"]
        self.fake.asked.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        more = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if wanted else {}
        self._answer(206 if wanted else 200, data[start:], more)

    def _answer(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        is_file = "bundles" in self.path
        cut = self.fake.cut_after if is_file else 0
        for at in range(0, len(body), 1024):
            if is_file:
                time.sleep(self.fake.byte_delay)
            self.wfile.write(body[at : min(at + 1024, cut or len(body))])
            if cut and at + 1024 >= cut:
                self.close_connection = True
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def fake_portal(key: Ed25519PrivateKey) -> Iterator[FakePortal]:
    """A portal that runs until the end of the block."""
    portal = FakePortal(key)
    portal.up()
    try:
        yield portal
    finally:
        if portal.server is not None:
            portal.down()
