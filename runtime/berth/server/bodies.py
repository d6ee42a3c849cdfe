"""A request's body, bounded and unpacked; an answer's body, packed where the client asked."""

import zlib
from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

from berth.calls import MOST_BYTES
from berth.server.errors import ProtocolError, bad

_WORTH_PACKING = 1_024  # bytes; below, packing costs more than it saves
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_LONGEST_NUMBER = 20  # digits
_QUICK = 1  # zlib's level: on floats the higher ones gain little and cost much


class Headers(Protocol):
    """The part of Granian's RSGIHeaders that is used here."""

    def get(self, name: str, default: str | None = None) -> str | None: ...


class Conversation(Protocol):
    """The part of Granian's RSGIHTTPProtocol that is used here."""

    def __call__(self) -> Awaitable[bytes]: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...


async def received(conversation: Conversation, headers: Headers) -> bytes:
    """The body as it came. Raises ProtocolError 411, 413 or 415."""
    _check_type(headers.get("content-type"))
    length = headers.get("content-length")
    if length is not None:
        if not length.isdigit() or len(length) > _LONGEST_NUMBER or int(length) > MOST_BYTES:
            raise _too_large()
        return await conversation()
    if headers.get("transfer-encoding") is None:
        raise ProtocolError(411, "Send the body's length (Content-Length), or the body in chunks.")
    body = bytearray()
    async for chunk in conversation:
        body += chunk
        if len(body) > MOST_BYTES:
            raise _too_large()
    return bytes(body)


def _check_type(given: str | None) -> None:
    """Clients of Triton send no type at all."""
    if given and not given.lower().startswith(("application/json", "application/octet-stream")):
        detail = "Send application/json or, with binary data, application/octet-stream."
        raise ProtocolError(415, detail)


def unpacked(body: bytes, encoding: str | None) -> bytes:
    """The body without its Content-Encoding. Raises ProtocolError 400, 413 or 415."""
    name = (encoding or "").strip().lower()
    if name in ("", "identity"):
        return body
    if name == "gzip":
        return _inflated(body, _GZIP)
    if name == "deflate":  # by RFC 9110 zlib's format; some send the bare one
        return _inflated(body, _ZLIB if body[:1] == b"\x78" else _RAW)
    raise ProtocolError(415, "Send the body with gzip or deflate, or as it is.")


def _inflated(body: bytes, form: int) -> bytes:
    """Never more than a byte beyond the limit is unpacked, whatever the body claims."""
    engine = zlib.decompressobj(form)
    try:
        plain = engine.decompress(body, MOST_BYTES + 1)
    except zlib.error as error:
        raise bad(f"The body can't be unpacked: {error}.") from error
    if len(plain) > MOST_BYTES:
        raise _too_large()
    if not engine.eof or engine.unused_data:
        raise bad("The packed body is cut off, or something follows it.")
    return plain


def _too_large() -> ProtocolError:
    return ProtocolError(413, f"A call takes at most {MOST_BYTES:,} bytes. Send fewer rows.")


def packed(body: bytes, accepted: str | None) -> tuple[bytes, str | None]:
    """The answer as the client accepts it, and the Content-Encoding where it was packed."""
    if not accepted or len(body) < _WORTH_PACKING:
        return body, None
    name = _first_of(accepted)
    if name is None:
        return body, None
    engine = zlib.compressobj(_QUICK, wbits=_GZIP if name == "gzip" else _ZLIB)
    return engine.compress(body) + engine.flush(), name


def _first_of(accepted: str) -> str | None:
    """gzip or deflate, whichever the header names first and does not refuse (`q=0`)."""
    for item in accepted.lower().split(","):
        name, _, weight = item.partition(";")
        refused = weight.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000")
        if name.strip() in ("gzip", "deflate") and not refused:
            return name.strip()
    return None
