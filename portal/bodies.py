"""What goes between a web process and slow people: bodies that come, answers that go."""

import io
import threading
from collections.abc import Iterator
from typing import Any, Protocol

from django.db import connections
from django.http import StreamingHttpResponse

from portal import permits

READ_AHEAD = 1024**2
MOST_STREAMS = 16
_streams = threading.BoundedSemaphore(MOST_STREAMS)


class Input(Protocol):
    """WSGI's ``wsgi.input``, as far as it is used."""

    def read(self, size: int = -1, /) -> bytes: ...
    def readline(self, size: int = -1, /) -> bytes: ...


class PatientInput:
    """A large body, read with the permit put down: its sender may be slow."""

    def __init__(self, stream: Input) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        with permits.resting():
            return self._stream.read(size)

    def readline(self, size: int = -1) -> bytes:
        with permits.resting():
            return self._stream.readline(size)


def receive(environ: dict[str, Any]) -> None:
    """Read a small body to its end before any work on the request; make a large one patient."""
    length = environ.get("CONTENT_LENGTH")
    if not length:
        return
    if length.isdigit() and int(length) <= READ_AHEAD:
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(length)))
    else:
        environ["wsgi.input"] = PatientInput(environ["wsgi.input"])


class Stream:
    """An answer that is made while it goes out, with no permit: its reader may be slow. Few at a
    time, since each may hold a database connection of its own."""

    def __init__(self, response: StreamingHttpResponse) -> None:
        self._response = response
        self._pieces = self._made()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def _made(self) -> Iterator[bytes]:
        with _streams:
            try:
                yield from self._response
            finally:
                connections.close_all()

    def close(self) -> None:
        """Called by the server when all is sent, or nobody reads any more."""
        self._pieces.close()  # type: ignore[attr-defined]  # a generator
        self._response.close()
