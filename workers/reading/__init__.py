"""Reading job files: strangers' bytes in, bounded batches of rows in one plain form out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from workers.options import Options
from workers.reading.base import (
    BATCH_ROWS,
    ERROR,
    Batch,
    Reader,
    UnreadableFile,
)
from workers.reading.csv_file import CsvReader
from workers.reading.json_lines import JsonLinesReader
from workers.reading.parquet_file import parquet_reader

Open = Callable[[Path, bool, Sequence[str], Options], AbstractContextManager[Reader]]
READERS: dict[str, Open] = {
    "csv": lambda *how: nullcontext(CsvReader(*how)),
    "jsonl": lambda *how: nullcontext(JsonLinesReader(*how)),
    "parquet": lambda path, packed, expected, options: parquet_reader(path, packed),
}


@contextmanager
def open_reader(
    path: Path, format_: str, expected: Sequence[str], options: Options | None = None
) -> Iterator[Reader]:
    """A reader of the file at ``path``; ``format_`` is what ``workers.recognition`` said.

    ``expected``: names of columns that are likely to be there. Raises UnreadableFile, and
    Unavailable where Parquet can't be read for want of a sandbox.
    """
    plain = format_.removesuffix(".gz")
    with READERS[plain](path, plain != format_, expected, options or Options()) as reader:
        yield reader


__all__ = [
    "BATCH_ROWS",
    "ERROR",
    "READERS",
    "Batch",
    "Options",
    "Reader",
    "UnreadableFile",
    "open_reader",
]
