"""The lines of a text file, plain or gzip: bounded in length and in all, position known."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from workers.reading.base import MOST_UNPACKED_BYTES, UnreadableFile
from workers.reading.encodings import Recoded, detected

LONGEST_LINE = 4 * 1024**2
LONGEST_ROW = 2 * LONGEST_LINE
BATCH_BYTES = 32 * 1024**2
MOST_BLANK_LINES = 1_000_000
_BUFFER = 1024**2
_BOM = b"\xef\xbb\xbf"


@contextmanager
def unpacked(path: Path, packed: bool) -> Iterator[IO[bytes]]:
    """The file's bytes, through gzip where ``packed``. Raises UnreadableFile when they break off
    or are no gzip."""
    try:
        with path.open("rb") as plain:
            if packed:
                with io.BufferedReader(gzip.GzipFile(fileobj=plain), _BUFFER) as stream:
                    yield stream
            else:
                yield plain
    except EOFError as error:
        raise UnreadableFile(
            "truncated", "The gzip file breaks off before its end. Send it again, whole."
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFile(
            "bad_gzip", f"The gzip file is damaged ({error}). Send it again."
        ) from error


def encoding_of(path: Path, packed: bool) -> str:
    """The text's encoding, found out (see ``encodings``). Raises UnreadableFile as above."""
    with unpacked(path, packed) as stream:
        return detected(stream)


@contextmanager
def as_utf8(path: Path, packed: bool, encoding: str) -> Iterator[IO[bytes]]:
    """The file's text in UTF-8, whatever it is in. Raises UnreadableFile."""
    with unpacked(path, packed) as stream:
        if encoding == "utf-8":
            yield stream
        else:
            yield io.BufferedReader(Recoded(stream, encoding), _BUFFER)


class Lines:
    """An iterator of lines (bytes, with their ends). ``position`` is the number of bytes (unpacked
    and in UTF-8) up to the end of the last line given; a byte order mark is passed over. The
    caller says where rows end (``end_row``): a row may have many lines."""

    def __init__(self, stream: IO[bytes], offset: int = 0, row: int = 0) -> None:
        self._stream = stream
        self.position = offset
        self.row = row
        self._row_began = offset
        self._blank = 0
        if offset:
            _go_to(stream, offset)

    def end_row(self, *, counts: bool = True) -> None:
        """What was given belongs to one row, which is over; a blank one does not count."""
        self.row += counts
        self._row_began = self.position

    def __iter__(self) -> Iterator[bytes]:
        while line := self._stream.readline(LONGEST_LINE + 1):
            if self.position == 0:
                line = self._without_mark(line)
            self.position += len(line)
            self._check(line)
            yield line

    def _without_mark(self, line: bytes) -> bytes:
        if line.startswith(_BOM):
            self.position = len(_BOM)
            return line.removeprefix(_BOM)
        return line

    def _check(self, line: bytes) -> None:
        self._blank = 0 if line.strip() else self._blank + 1
        if len(line) > LONGEST_LINE or self.position - self._row_began > LONGEST_ROW:
            most = LONGEST_LINE // 1024**2
            raise UnreadableFile(
                "row_too_long", f"Row {self.row:,} is longer than the {most} MB taken."
            )
        if self.position > MOST_UNPACKED_BYTES:
            raise UnreadableFile(
                "too_large", f"Unpacked, the file exceeds {MOST_UNPACKED_BYTES // 1024**3} GB."
            )
        if self._blank > MOST_BLANK_LINES:
            raise UnreadableFile("blank", "The file goes on with a million blank lines.")

    def text(self) -> Iterator[str]:
        """The lines as text. Raises UnreadableFile for what is not UTF-8."""
        for line in self:
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise UnreadableFile(
                    "not_utf8",
                    f"Row {self.row:,} is not UTF-8 (byte 0x{line[error.start]:02x}). Save the file"
                    " as UTF-8 (in a spreadsheet: “CSV UTF-8”), or name its encoding.",
                ) from error


def _go_to(stream: IO[bytes], offset: int) -> None:
    if stream.seekable():
        stream.seek(offset)
        return
    while offset > 0 and (piece := stream.read(min(offset, _BUFFER))):
        offset -= len(piece)
