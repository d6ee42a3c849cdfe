"""What every reader of a job's file gives: batches of rows in one plain form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from workers.options import Options

BATCH_ROWS = 10_000
MOST_ROWS = 100_000_000
MOST_COLUMNS = 1_000
_CELLS_AT_ONCE = 1_000_000
MOST_UNPACKED_BYTES = 16 * 1024**3
ERROR = "error"


class UnreadableFile(Exception):
    """The file as a whole can't be scored; ``code`` is stable, ``detail`` a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Batch:
    """Some consecutive rows.

    ``frame``: columns "0", "1", … (positions in the reader's ``columns``; a file's own names may
    be anything) and ERROR, which says why a row can't be read and is null for the others.
    ``offset``: where the reader goes on after this batch.
    """

    frame: pl.DataFrame
    offset: int


class Reader(Protocol):
    """One way to read a file, from any ``offset`` that a Batch gave. ``options`` are those that
    it reads by, found out where they were not given; ``decimal`` is for whoever reads cells."""

    columns: list[str]
    options: Options

    def batches(self, offset: int, first_row: int) -> Iterator[Batch]:
        """The rows from ``offset`` on, which is where row ``first_row`` begins.

        Offset 0 is the file's start. Raises UnreadableFile.
        """
        ...


def rows_at_once(columns: int) -> int:
    """How many rows of so many columns make a batch: BATCH_ROWS, or fewer where rows are wide."""
    return max(1, min(BATCH_ROWS, _CELLS_AT_ONCE // columns))


def frame_of_texts(rows: Sequence[Sequence[str | None]], errors: dict[int, str]) -> pl.DataFrame:
    """Rows of equally many text cells as a Batch's frame; ``errors`` by index."""
    columns = list(zip(*rows, strict=True))
    series = [pl.Series(str(i), cells, dtype=pl.String) for i, cells in enumerate(columns)]
    notes = [errors.get(i) for i in range(len(rows))] if errors else [None] * len(rows)
    return pl.DataFrame([*series, pl.Series(ERROR, notes, dtype=pl.String)])


def check_columns(columns: Sequence[str]) -> None:
    """Raises UnreadableFile for too many columns, for names that stand there twice and for those
    that hold a NUL, which no database keeps."""
    if len(columns) > MOST_COLUMNS:
        raise UnreadableFile(
            "too_many_columns",
            f"The file has {len(columns):,} columns; a job takes at most {MOST_COLUMNS:,}.",
        )
    for number, name in enumerate(columns, 1):
        if "\0" in name:
            raise UnreadableFile(
                "bad_column", f"The name of column {number:,} holds a NUL. Rename the column."
            )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        named = ", ".join(f"“{name[:60]}”" for name in twice[:5])
        raise UnreadableFile(
            "duplicate_columns", f"The header names {named} more than once. Rename the columns."
        )
