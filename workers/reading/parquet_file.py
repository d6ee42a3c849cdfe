"""Parquet, read by polars: its reader is written in Rust, so a hostile file may make it refuse
or panic (which is caught here), but not write outside its memory."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from workers.reading.base import (
    ERROR,
    MOST_ROWS,
    MOST_UNPACKED_BYTES,
    Batch,
    UnreadableFile,
    check_columns,
    rows_at_once,
)
from workers.reading.lines import unpacked

_NESTED = (pl.List, pl.Array, pl.Struct, pl.Object, pl.Binary)
_AS_TEXT = (pl.Categorical, pl.Enum, pl.Date, pl.Datetime, pl.Time, pl.Duration, pl.Null)
_AS_NUMBER = (pl.Decimal, pl.Int128)


class ParquetReader:
    """A Reader of Parquet. Cells keep their types; offsets are row numbers."""

    def __init__(self, path: Path, packed: bool, expected: Sequence[str]) -> None:
        self._path = path
        self._packed = packed
        with self._scan() as rows:
            schema = rows.collect_schema()
            count = rows.select(pl.len()).collect().item()
        self.columns = list(schema)
        if not self.columns:
            raise UnreadableFile("empty", "The file is empty: it has no columns.")
        check_columns(self.columns)
        if count > MOST_ROWS:
            raise UnreadableFile(
                "too_many_rows", f"The file has {count:,} rows; a job takes {MOST_ROWS:,}."
            )
        self._plain = [_plain(i, name, kind) for i, (name, kind) in enumerate(schema.items())]

    def batches(self, offset: int, first_row: int) -> Iterator[Batch]:
        """See Reader.batches."""
        with self._scan() as rows:
            some = rows.slice(offset).select(self._plain)
            most = rows_at_once(len(self.columns))
            for frame in some.collect_batches(chunk_size=most, maintain_order=True):
                for part in frame.iter_slices(most):
                    offset += part.height
                    yield Batch(part.with_columns(pl.lit(None, pl.String).alias(ERROR)), offset)

    @contextmanager
    def _scan(self) -> Iterator[pl.LazyFrame]:
        with _plain_file(self._path, self._packed) as path:
            try:
                yield pl.scan_parquet(path, glob=False, hive_partitioning=False)
            except (PolarsError, PanicException, OSError) as error:
                reason = str(error).splitlines()[0][:200] if str(error) else "unknown"
                raise UnreadableFile(
                    "bad_parquet", f"The Parquet file is damaged or cut off ({reason})."
                ) from error


def _plain(position: int, name: str, kind: pl.DataType) -> pl.Expr:
    """The column under its position, in a type that a CSV could hold too."""
    column = pl.col(name)
    if isinstance(kind, _NESTED):
        raise UnreadableFile(
            "nested_column",
            f"The column “{name[:60]}” holds {kind}. A job takes numbers, texts, dates and truth"
            " values; drop the column or make it one of these.",
        )
    if isinstance(kind, _AS_TEXT):
        column = column.cast(pl.String)
    elif isinstance(kind, _AS_NUMBER):
        column = column.cast(pl.Float64)
    return column.alias(str(position))


@contextmanager
def _plain_file(path: Path, packed: bool) -> Iterator[Path]:
    """The file itself, or its unpacked copy beside it, gone afterwards."""
    if not packed:
        yield path
        return
    with tempfile.NamedTemporaryFile(dir=path.parent) as copy:
        with unpacked(path, packed) as stream:
            left = MOST_UNPACKED_BYTES
            while piece := stream.read(1024**2):
                left -= len(piece)
                if left < 0:
                    limit = MOST_UNPACKED_BYTES // 1024**3
                    raise UnreadableFile("too_large", f"Unpacked, the file exceeds {limit} GB.")
                copy.write(piece)
        copy.flush()
        yield Path(copy.name)
