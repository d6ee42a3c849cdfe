"""Which encoding a text file has, and its bytes as UTF-8, whatever they were.

Found out by a byte order mark, else by what the bytes can be: text that is valid UTF-8 is UTF-8;
what is not, and holds no sequence of UTF-8 either, is Windows-1252, as spreadsheets in western
languages save it. A file that is UTF-8 in some places and not in others is damaged, and is left
to the reader, who says where.
"""

import codecs
import io
from typing import IO, Any

from workers.options import ENCODINGS
from workers.reading.base import UnreadableFile

LOOKED_AT = 64 * 1024**2
_BLOCK = 1024**2
_HEAD = 4096


def detected(stream: IO[bytes]) -> str:
    """The encoding of a stream at its start, by its first LOOKED_AT bytes: out of ENCODINGS."""
    block = stream.read(_HEAD)
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if half := _half(block):
        return half
    decoder = codecs.getincrementaldecoder("utf-8")()
    looked, has_utf8 = 0, False
    while block and looked < LOOKED_AT:
        looked += len(block)
        try:
            has_utf8 = not decoder.decode(block).isascii() or has_utf8
        except UnicodeDecodeError:
            return "utf-8" if has_utf8 or not _is_western(block) else "windows-1252"
        block = stream.read(_BLOCK)
    return "utf-8"


def _half(head: bytes) -> str:
    """UTF-16 without its mark: of western text every second byte is NUL."""
    even, odd = head[::2], head[1::2]
    if odd.count(0) > 0.4 * len(odd) and not even.count(0):
        return "utf-16le"
    if even.count(0) > 0.4 * len(even) and not odd.count(0):
        return "utf-16be"
    return ""


def _is_western(block: bytes) -> bool:
    """Whether the block may be Windows-1252: all of it is defined there, and none is UTF-8."""
    if b"\0" in block:
        return False
    try:
        block.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return not any("\x7f" < sign != "\ufffd" for sign in set(block.decode(errors="replace")))


class Recoded(io.RawIOBase):
    """A stream in another encoding, as UTF-8. It is read from its start on, and holds a block."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream, self._name = stream, encoding
        self._decoder = codecs.getincrementaldecoder(ENCODINGS[encoding])()
        self._ready, self._read = memoryview(b""), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises UnreadableFile for what the encoding does not know."""
        room = memoryview(buffer).cast("B")
        while not self._ready:
            block = self._stream.read(_BLOCK)
            self._ready = memoryview(self._utf8(block))
            if not block:
                break
        size = min(len(room), len(self._ready))
        room[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _utf8(self, block: bytes) -> bytes:
        try:
            text = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise UnreadableFile(
                "bad_encoding",
                f"The file is not {self._name}: near byte {self._read + error.start:,} stands what"
                " that encoding does not have. Name another one, or save it as UTF-8.",
            ) from error
        self._read += len(block)
        return text.encode()
