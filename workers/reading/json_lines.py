"""JSON lines (jsonlines.org): an object a line. A line that is none is that row's error."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from workers.options import Options
from workers.reading.base import (
    BATCH_ROWS,
    MOST_COLUMNS,
    Batch,
    UnreadableFile,
    check_columns,
    frame_of_texts,
)
from workers.reading.lines import BATCH_BYTES, Lines, as_utf8, encoding_of


class JsonLinesReader:
    """A Reader of JSON lines. Its columns grow with the keys met; cells become text, as in CSV,
    so that one column may hold what it likes."""

    def __init__(self, path: Path, packed: bool, expected: Sequence[str], options: Options) -> None:
        encoding = options.encoding or encoding_of(path, packed)
        self._source = (path, packed, encoding)
        self.options = Options(encoding=encoding)
        self.columns: list[str] = []
        self._known: dict[str, int] = {}

    def batches(self, offset: int, first_row: int) -> Iterator[Batch]:
        """See Reader.batches. Set ``columns`` to those known before when going on."""
        self._known = {name: i for i, name in enumerate(self.columns)}
        with as_utf8(*self._source) as stream:
            lines = Lines(stream, offset, first_row)
            while objects := self._some(lines):
                if offset == 0:
                    _check_some_are_objects(objects)
                    offset = lines.position
                yield self._batch(objects, lines)

    def _some(self, lines: Lines) -> list[dict[str, Any] | str]:
        most_bytes = lines.position + BATCH_BYTES
        objects: list[dict[str, Any] | str] = []
        for line in lines:
            is_blank = not line.strip()
            lines.end_row(counts=not is_blank)
            if is_blank:
                continue
            objects.append(self._object(line))
            if len(objects) == BATCH_ROWS or lines.position > most_bytes:
                break
        return objects

    def _object(self, line: bytes) -> dict[str, Any] | str:
        """The line's object, its keys known from now on; or what is wrong with it."""
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return f"This line is not JSON: {error.msg} (column {error.colno})."
        if not isinstance(row, dict):
            return "This line is JSON, but not an object with column names as keys."
        for name in row:
            if name not in self._known:
                self._learn(name)
        return row

    def _learn(self, name: str) -> None:
        self._known[name] = len(self.columns)
        self.columns.append(name)
        if len(self.columns) > MOST_COLUMNS or "\0" in name:
            check_columns(self.columns)

    def _batch(self, objects: list[dict[str, Any] | str], lines: Lines) -> Batch:
        rows: list[list[str | None]] = []
        errors: dict[int, str] = {}
        for i, row in enumerate(objects):
            if isinstance(row, str):
                errors[i] = row
                row = {}
            rows.append([_text(row.get(name)) for name in self.columns])
        return Batch(frame_of_texts(rows, errors), lines.position)


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return orjson.dumps(cell).decode()


def _check_some_are_objects(objects: list[dict[str, Any] | str]) -> None:
    faults = [row for row in objects if isinstance(row, str)]
    if len(faults) == len(objects):
        raise UnreadableFile(
            "not_json_lines",
            f"None of the first {len(objects):,} lines is a JSON object. The first: {faults[0]}",
        )
