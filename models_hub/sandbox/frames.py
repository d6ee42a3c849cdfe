"""Messages over a pipe: one kind byte, the length as four bytes (big endian), the payload."""

import json
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

HEADER = struct.Struct(">cI")
JSON = b"J"
BYTES = b"B"


class Garbled(ValueError):
    """What came over the pipe is not a sequence of messages."""


def write_json(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write one JSON message. NaN and infinities are refused (ValueError)."""
    _write(stream, JSON, json.dumps(message, allow_nan=False).encode())


def write_bytes(stream: BinaryIO, payload: bytes) -> None:
    """Write one message of raw bytes."""
    _write(stream, BYTES, payload)


def _write(stream: BinaryIO, kind: bytes, payload: bytes) -> None:
    stream.write(HEADER.pack(kind, len(payload)))
    stream.write(payload)
    stream.flush()


def read(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """The next message (kind, payload) of a stream that we wrote ourselves; None at its end."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    kind, length = HEADER.unpack(header)
    return kind, stream.read(length)


def parse(payload: bytes) -> dict[str, Any]:
    """A JSON message that a stranger wrote; raises `Garbled`.

    Read by orjson, so that whatever it holds can be stored and written as JSON again: no number
    beyond 64 bits, no infinity, no half a surrogate pair.
    """
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Garbled("a message is not JSON") from error
    if not isinstance(message, dict):
        raise Garbled("a message is not an object")
    return message


class Reader:
    """Takes bytes as they come, gives whole messages; never holds more than `limit` bytes.

    A message of JSON may have `most_json` of them: read, it takes up to 25 times as much memory.
    """

    def __init__(self, limit: int, most_json: int) -> None:
        self._limits = {BYTES: limit, JSON: min(limit, most_json)}
        self._limit, self._total, self._buffer = limit, 0, bytearray()

    @property
    def holds_more(self) -> bool:
        """Whether bytes came behind the messages given so far."""
        return bool(self._buffer)

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, bytes]]:
        """(kind, payload) of each message that the chunk completes; raises `Garbled`."""
        self._total += len(chunk)
        if self._total > self._limit:
            raise Garbled("the result is too large")
        self._buffer += chunk
        while len(self._buffer) >= HEADER.size:
            kind, length = HEADER.unpack_from(self._buffer)
            if length > self._limits.get(kind, -1):
                raise Garbled("a message has a wrong header")
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield kind, payload
