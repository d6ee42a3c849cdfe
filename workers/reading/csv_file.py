"""CSV (RFC 4180 and its relatives): any of four delimiters, quoted line breaks, ragged rows, in
any encoding.

A real parser reads it (Python's csv, strict): a row that does not fit becomes that row's error
and keeps its number. What makes all that follows doubtful, a quote that is never closed, ends
the reading.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from workers.matching import folded
from workers.options import DELIMITERS, Options
from workers.reading.base import (
    Batch,
    UnreadableFile,
    check_columns,
    frame_of_texts,
    rows_at_once,
)
from workers.reading.lines import BATCH_BYTES, Lines, as_utf8, encoding_of

LONGEST_CELL = 128 * 1024
_SAMPLE_LINES = 50
_UNCLOSED = "unexpected end of data"
_TOO_LONG = "field larger than field limit"
_LONE_RETURN = "new-line character seen in unquoted field"


class CsvReader:
    """A Reader of CSV. Every cell is text; an empty one stays the empty text."""

    def __init__(self, path: Path, packed: bool, expected: Sequence[str], options: Options) -> None:
        encoding = options.encoding or encoding_of(path, packed)
        self._source = (path, packed, encoding)
        with as_utf8(*self._source) as stream:
            # What is no UTF-8 is for ``batches`` to report, with its row.
            some = islice(Lines(stream), _SAMPLE_LINES)
            sample = [line.decode(errors="replace") for line in some]
        if not any(line.strip() for line in sample):
            raise UnreadableFile("empty", "The file is empty: it has no header and no rows.")
        self._delimiter = options.delimiter or _delimiter(sample, expected)
        self.options = replace(options, encoding=encoding, delimiter=self._delimiter)
        self.columns = _named(_first_row(sample, self._delimiter))
        check_columns(self.columns)

    def batches(self, offset: int, first_row: int) -> Iterator[Batch]:
        """See Reader.batches."""
        with as_utf8(*self._source) as stream:
            lines = Lines(stream, offset, first_row)
            rows = self._rows(lines, skip_header=offset == 0)
            while True:
                cells, errors = self._some(rows, lines)
                if not cells:
                    return
                yield Batch(frame_of_texts(cells, errors), lines.position)

    def _some(
        self, rows: Iterator[list[str] | str], lines: Lines
    ) -> tuple[list[list[str]], dict[int, str]]:
        """The next rows, each as wide as the header, and what is wrong with which."""
        width = len(self.columns)
        most_bytes = lines.position + BATCH_BYTES
        cells: list[list[str]] = []
        errors: dict[int, str] = {}
        for row in islice(rows, rows_at_once(width)):
            if isinstance(row, str):
                errors[len(cells)] = row
                row = []
            elif len(row) != width:
                errors[len(cells)] = _ragged(len(row), width)
            if len(row) != width:
                row = [*row, *[""] * width][:width]
            cells.append(row)
            if lines.position > most_bytes:
                break
        return cells, errors

    def _rows(self, lines: Lines, *, skip_header: bool) -> Iterator[list[str] | str]:
        """The rows that are not blank; a text is the error of a row that can't be parsed."""
        reader = csv.reader(lines.text(), delimiter=self._delimiter, strict=True)
        while True:
            row: list[str] | str
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                row = _fault(str(error), lines.row)
            is_header = bool(row) and skip_header
            skip_header = skip_header and not row
            counts = bool(row) and not is_header
            lines.end_row(counts=counts)
            if counts:
                yield row


def _fault(detail: str, row: int) -> str:
    """The error of one row. Raises UnreadableFile where the rest can't be trusted either."""
    if detail.startswith(_UNCLOSED):
        raise UnreadableFile("unclosed_quote", f"A quote opened in row {row:,} is never closed.")
    if detail.startswith(_TOO_LONG):
        raise UnreadableFile(
            "cell_too_long",
            f"A cell of row {row:,} is longer than {LONGEST_CELL // 1024} KB;"
            " often a quote was opened there and not closed.",
        )
    if detail.startswith(_LONE_RETURN):
        raise UnreadableFile(
            "line_ends", "Its lines end in lone carriage returns. Save it with LF or CRLF."
        )
    return f"This row can't be read as CSV: {detail}."


def _ragged(cells: int, width: int) -> str:
    return f"This row has {cells:,} {'cell' if cells == 1 else 'cells'}, the header has {width:,}."


def _named(header: list[str]) -> list[str]:
    """A column without a name (an index that a data frame wrote) gets one by its place."""
    stripped = [name.strip() for name in header]
    return [name or f"column_{i}" for i, name in enumerate(stripped, 1)]


def _first_row(sample: Sequence[str], delimiter: str) -> list[str]:
    try:
        return next(
            (row for row in csv.reader(sample, delimiter=delimiter, strict=True) if row), []
        )
    except csv.Error as error:
        raise UnreadableFile("bad_header", f"The header: {_fault(str(error), 0)}") from error


def _delimiter(sample: Sequence[str], expected: Sequence[str]) -> str:
    """The delimiter that finds most of the expected names in the header, else most columns."""
    wanted = {folded(name) for name in expected}

    def merit(delimiter: str) -> tuple[int, int]:
        try:
            names = _named(_first_row(sample, delimiter))
        except UnreadableFile:
            return 0, 0
        return len({folded(name) for name in names} & wanted), len(names)

    return max(DELIMITERS.values(), key=merit)
