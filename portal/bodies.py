"""What goes between a web process and slow people: bodies that come, answers that go."""

import io
import threading
from collections.abc import Iterator
from contextlib import nullcontext
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


class WholeInput:
    """A body of ``length`` bytes. Raises ConnectionError where it ends before, whose sender or a
    proxy gave up: a server tells such an end from no other, and a part must not pass for all.

    A patient one is read with the permit put down: its sender may be slow.
    """

    def __init__(self, stream: Input, length: int, *, patient: bool) -> None:
        self._stream = stream
        self._left = length
        self._patient = patient

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        with permits.resting() if self._patient else nullcontext():
            data = self._stream.read(wanted)
            while len(data) < wanted and (more := self._stream.read(wanted - len(data))):
                data += more
        if len(data) < wanted:
            raise ConnectionError("The body broke off on its way.")
        self._left -= wanted
        return data

    def readline(self, size: int = -1) -> bytes:
        with permits.resting() if self._patient else nullcontext():
            line = self._stream.readline(size)
        if not line and size and self._left:
            raise ConnectionError("The body broke off on its way.")
        self._left -= len(line)
        return line


def receive(environ: dict[str, Any]) -> None:
    """Read a small body to its end before any work on the request; make a large one patient."""
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdigit():
        return
    stream, size = environ["wsgi.input"], int(length)
    if small := size <= READ_AHEAD:
        stream = io.BytesIO(stream.read(size))
    environ["wsgi.input"] = WholeInput(stream, size, patient=not small)


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
