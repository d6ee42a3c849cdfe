"""What goes between a web process and slow people: bodies that come, answers that go."""

import io
import threading
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, Protocol

from django.db import connections
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseFileResponse  # type: ignore[import-untyped]  # no types

from portal import permits

READ_AHEAD = 1024**2
MOST_STREAMS = 16
PATIENCE = 2.0  # seconds that an answer waits for a place among them
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


def admit(response: HttpResponseBase) -> bool:
    """Whether the answer may go out. One that is made while it goes out takes a place until it is
    closed or forgotten: few at a time, since each may hold a database connection of its own.
    Static files hold none."""
    if not isinstance(response, StreamingHttpResponse) or isinstance(
        response, WhiteNoiseFileResponse
    ):
        return True
    with permits.resting():
        if not _streams.acquire(timeout=PATIENCE):
            return False
    leave = weakref.finalize(response, _streams.release)  # once, whoever is first
    response._resource_closers.append(leave)  # type: ignore[attr-defined]  # stubs lack it
    return True


class Stream:
    """An answer that is made while it goes out, with no permit: its reader may be slow."""

    def __init__(self, response: StreamingHttpResponse) -> None:
        self._response = response
        self._pieces = self._made()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def _made(self) -> Iterator[bytes]:
        try:
            yield from self._response
        finally:
            connections.close_all()

    def close(self) -> None:
        """Called by the server when all is sent, or nobody reads any more."""
        self._pieces.close()  # type: ignore[attr-defined]  # a generator
        self._response.close()
