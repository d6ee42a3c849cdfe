"""The job of a child that reads a stranger's Parquet file: some rows at a time, as asked.

The reader is polars's. Whatever a crafted file does to it, it does in here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from polars.exceptions import PanicException, PolarsError

from models_hub.formats.refusal import Refused
from models_hub.sandbox import frames, tables
from models_hub.sandbox.tell import perform

MOST_BYTES = 32 << 20  # in a batch, unless a row alone has more
_NESTED = (pl.List, pl.Array, pl.Struct, pl.Object, pl.Binary)
_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
_NUMBERS = (pl.Float32, pl.Float64, pl.Decimal)


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    """`arguments`: path. Each question is {"from": row, "rows": at most so many}, where -1 asks
    what columns there are: {"columns": [[name, kind], …], "rows": count}. Rows are answered as
    `tables.pack` makes them, and what lies behind the last one as {"event": "end"}."""
    perform(lambda voice, arguments: _serve(arguments, given, pipe), arguments, pipe)


def _serve(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    try:
        _Table(Path(arguments["path"])).answer(given, pipe)
    except (PolarsError, PanicException, OSError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else "unknown"
        text = f"The Parquet file is damaged or cut off ({reason})."
        raise Refused("bad_parquet", text) from error


class _Table:
    def __init__(self, path: Path) -> None:
        self._rows = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        self._schema = self._rows.collect_schema()
        self._kinds = [_kind(name, dtype) for name, dtype in self._schema.items()]
        self._position = -1
        self._batches: Iterator[pl.DataFrame] = iter(())

    def answer(self, given: BinaryIO, pipe: BinaryIO) -> None:
        while (question := frames.read(given)) is not None:
            asked = frames.parse(question[1])
            if asked["from"] < 0:
                count = self._rows.select(pl.len()).collect().item()
                columns = [list(pair) for pair in zip(self._schema, self._kinds, strict=True)]
                frames.write_json(pipe, {"columns": columns, "rows": count})
                continue
            packed = self._some(asked["from"], asked["rows"])
            if packed is None:
                frames.write_json(pipe, {"event": "end"})
            else:
                frames.write_bytes(pipe, packed)

    def _some(self, start: int, rows: int) -> bytes | None:
        if start != self._position:
            self._position = start
            self._batches = self._from(start, rows)
        frame = next(self._batches, None)
        if frame is None:
            return None
        self._position += frame.height
        return tables.pack(frame, self._kinds)

    def _from(self, start: int, rows: int) -> Iterator[pl.DataFrame]:
        types = zip(self._schema, self._kinds, strict=True)
        columns = [pl.col(name).cast(tables.KINDS[kind][1]) for name, kind in types]
        some = self._rows.slice(start).select(columns)
        for frame in some.collect_batches(chunk_size=rows, maintain_order=True):
            for part in frame.iter_slices(rows):
                yield from _bounded(part)


def _bounded(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The frame in parts that are not too large, where its rows allow it."""
    if frame.estimated_size() <= MOST_BYTES or frame.height == 1:
        yield frame
        return
    middle = frame.height // 2
    yield from _bounded(frame[:middle])
    yield from _bounded(frame[middle:])


def _kind(name: str, dtype: pl.DataType) -> str:
    if isinstance(dtype, _NESTED):
        raise Refused(
            "nested_column",
            f"The column “{name[:60]}” holds {dtype}. A job takes numbers, texts, dates and truth"
            " values; drop the column or make it one of these.",
        )
    if isinstance(dtype, _INTEGERS):
        return "integer"
    if isinstance(dtype, _NUMBERS):
        return "number"
    # Among them whole numbers beyond 64 bits: as texts they keep their digits.
    return "boolean" if isinstance(dtype, pl.Boolean) else tables.TEXT
