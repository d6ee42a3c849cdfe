"""The one layer of compression that a pickled file may have, taken off within bounds."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from models_hub.formats.refusal import Refused

MAX_UNPACKED = 1 << 30  # bytes
MAX_RATIO = 200  # unpacked to packed; honest models of many zeros reach some dozens
SMALL = 64 << 20  # below this many bytes no ratio is a danger
MAX_DICTIONARY = 256 << 20  # bytes that a stream of xz may ask for
CHUNK = 1 << 20

GZIP, BZIP2, XZ, LZMA, LZ4 = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x5d\x00\x00",
    b"\x04\x22\x4d\x18",
)
ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
MAGICS = (GZIP, BZIP2, XZ, LZMA, LZ4, *ZLIB)


class _Decompressor(Protocol):
    """What the three of the standard library have in common."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def is_packed(head: bytes) -> bool:
    """Does a file that begins so have a layer of compression?"""
    return head.startswith(MAGICS)


def unpacked(path: Path) -> bytes:
    """The file's content without its compression, if it has any.

    Raises `Refused`: `compression_unsupported` (lz4), `compression_bomb`,
    `compression_corrupt` (cut short, or something behind the packed data), and
    `compression_nested` when what comes out is packed again.
    """
    data = path.read_bytes()
    if not is_packed(data[:8]):
        return data
    plain = _unpack(data, _decompressor(data[:8]))
    if is_packed(plain[:8]):
        raise Refused(
            "compression_nested", "The file is packed twice; save it with one compression."
        )
    return plain


def _decompressor(head: bytes) -> Any:
    if head.startswith(LZ4):
        raise Refused(
            "compression_unsupported",
            "The file is packed with lz4, which this server does not read: save it with "
            'joblib.dump(pipeline, "model.joblib", compress=3).',
        )
    if head.startswith(BZIP2):
        return bz2.BZ2Decompressor()
    if head.startswith((XZ, LZMA)):
        return lzma.LZMADecompressor(memlimit=MAX_DICTIONARY)
    return _Zlib()


class _Zlib:
    """zlib and gzip behind the interface of the other two. It is given a bit at a time, since what
    it does not take it hands back as a copy."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # finds out which of the two
        self._waiting = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data or bytes(self._waiting[:1])

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._waiting = memoryview(data) if data else self._waiting
        part = b""
        while not part and not self.eof and (self._inner.unconsumed_tail or self._waiting):
            given: bytes | memoryview = self._inner.unconsumed_tail
            if not given:
                given, self._waiting = self._waiting[:CHUNK], self._waiting[CHUNK:]
            part = self._inner.decompress(given, max_length)
        return part or self._inner.decompress(b"", max_length)


def _unpack(data: bytes, decompressor: _Decompressor) -> bytes:
    most = min(MAX_UNPACKED, max(SMALL, MAX_RATIO * len(data)))
    parts, size, given = [], 0, data
    while not decompressor.eof:
        part = _step(decompressor.decompress, given)
        given, size = b"", size + len(part)
        if size > most:
            raise Refused(
                "compression_bomb",
                f"The file of {len(data):,} bytes unpacks to more than {most >> 20} MB.",
            )
        if not part and not decompressor.eof:
            raise _corrupt("it is cut short")
        parts.append(part)
    if decompressor.unused_data:
        raise _corrupt("something follows the packed data")
    return b"".join(parts)


def _step(decompress: Callable[[bytes, int], bytes], data: bytes) -> bytes:
    try:
        return decompress(data, CHUNK)
    except (OSError, lzma.LZMAError, zlib.error, EOFError) as error:
        raise _corrupt("its packed data is wrong") from error


def _corrupt(what: str) -> Refused:
    return Refused(
        "compression_corrupt", f"The file is damaged ({what}); save it and upload it again."
    )
