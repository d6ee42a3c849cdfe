"""Reading job files: strangers' bytes in, bounded batches of rows in one plain form out."""

from collections.abc import Callable, Sequence
from pathlib import Path

from workers.reading.base import (
    BATCH_ROWS,
    ERROR,
    Batch,
    Reader,
    UnreadableFile,
)
from workers.reading.csv_file import CsvReader
from workers.reading.json_lines import JsonLinesReader
from workers.reading.parquet_file import ParquetReader

READERS: dict[str, Callable[[Path, bool, Sequence[str]], Reader]] = {
    "csv": CsvReader,
    "jsonl": JsonLinesReader,
    "parquet": ParquetReader,
}


def open_reader(path: Path, format_: str, expected: Sequence[str]) -> Reader:
    """A reader of the file at ``path``; ``format_`` is what ``workers.recognition`` said.

    ``expected``: the names that the model needs. Raises UnreadableFile.
    """
    plain = format_.removesuffix(".gz")
    return READERS[plain](path, plain != format_, expected)


__all__ = [
    "BATCH_ROWS",
    "ERROR",
    "READERS",
    "Batch",
    "Reader",
    "UnreadableFile",
    "open_reader",
]
