"""Parquet, read in a sandboxed child: its format is intricate enough that a crafted file may do
to a reader what it likes, or make it take all memory. The child hands over rows as raw bytes
(``models_hub.sandbox.tables``), and what it says is read as a stranger's.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from models_hub import native
from models_hub.formats import Refused
from models_hub.sandbox import Limits, NoSandbox, claims, frames, tables
from models_hub.sandbox.packing import Misfit
from models_hub.sandbox.process import Child
from models_hub.standing import held_elsewhere
from portal.errors import Unavailable
from workers.options import Options
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

JOB = "models_hub.sandbox.parquet"
#: Address space, of which the child's libraries take 1.1 GiB before it has read anything.
MEMORY = 3 << 30
SECONDS = 60.0  # for a batch; between two the child is stopped
LIMITS = Limits(wall=SECONDS, cpu=None, memory=MEMORY, result=64 << 20, json=4 << 20)
_TOO_MUCH = (
    "The Parquet file is damaged, or its row groups take more than the 3 GB of memory that there"
    " are to read them. Write it with at most a million rows in a group."
)


class ParquetReader:
    """A Reader of Parquet. Cells are numbers, truth values or texts; offsets are row numbers."""

    options = Options()

    def __init__(self, child: Child) -> None:
        self._child = child
        about = self._asked({"from": -1, "rows": 0})
        if isinstance(about, bytes) or not _is_table(about):
            raise _nonsense()
        self.columns = [name for name, _ in about["columns"]]
        self._kinds = [kind for _, kind in about["columns"]]
        if not self.columns:
            raise UnreadableFile("empty", "The file is empty: it has no columns.")
        check_columns(self.columns)
        if about["rows"] > MOST_ROWS:
            raise UnreadableFile(
                "too_many_rows",
                f"The file has {about['rows']:,} rows; a job takes {MOST_ROWS:,}.",
            )

    def batches(self, offset: int, first_row: int) -> Iterator[Batch]:
        """See Reader.batches."""
        most, left = rows_at_once(len(self.columns)), MOST_UNPACKED_BYTES
        while isinstance(answer := self._asked({"from": offset, "rows": most}), bytes):
            frame = self._frame(answer)
            offset += frame.height
            left -= len(answer)
            if left < 0:
                raise _too_large()
            yield Batch(frame.with_columns(pl.lit(None, pl.String).alias(ERROR)), offset)
        if answer != {"event": "end"}:
            raise _nonsense()

    def _asked(self, question: dict[str, int]) -> bytes | dict[str, Any]:
        try:
            kind, payload = self._child.call(question, SECONDS)
            if kind == frames.BYTES:
                return payload
            answer = frames.parse(payload)
        except frames.Garbled as error:
            raise _nonsense() from error
        except Refused as refusal:  # the child itself says nothing any more
            slow = refusal.code == "inspection_timeout"
            text = f"Reading it took longer than {SECONDS:g} s." if slow else _TOO_MUCH
            raise UnreadableFile("bad_parquet", text) from refusal
        if answer.get("event") == "refused":
            said = claims.refusal(answer)
            if said.code not in ("bad_parquet", "nested_column"):
                raise UnreadableFile("bad_parquet", _TOO_MUCH)
            raise UnreadableFile(said.code, said.detail)
        return answer

    def _frame(self, answer: bytes) -> pl.DataFrame:
        try:
            frame = tables.unpack(answer, self._kinds)
        except Misfit as error:
            raise _nonsense() from error
        if not frame.height:
            raise _nonsense()
        return frame


def _is_table(about: dict[str, Any]) -> bool:
    columns, rows = about.get("columns"), about.get("rows")
    return (
        isinstance(columns, list)
        and isinstance(rows, int)
        and all(
            isinstance(pair, list)
            and len(pair) == 2
            and isinstance(pair[0], str)
            and pair[1] in tables.KINDS
            for pair in columns
        )
    )


def _nonsense() -> UnreadableFile:
    return UnreadableFile("bad_parquet", "Reading the Parquet file gave no usable rows.")


def _too_large() -> UnreadableFile:
    limit = MOST_UNPACKED_BYTES // 1024**3
    return UnreadableFile("too_large", f"Unpacked, the file exceeds {limit} GB.")


@contextmanager
def parquet_reader(path: Path, packed: bool) -> Iterator[ParquetReader]:
    """A reader of the file, and the child behind it while it is needed.

    Raises UnreadableFile (also where nobody has a sandbox), and Unavailable where this worker has
    none while another one has.
    """
    proof = native.sandbox_proof()
    if not proof.holds:
        raise _no_sandbox(proof.reason)
    with _plain_file(path, packed) as plain:
        try:
            with Child(JOB, {}, LIMITS, proof.form, {"path": plain}) as child:
                yield ParquetReader(child)
        except NoSandbox as error:
            raise _no_sandbox(str(error)) from error


def _no_sandbox(reason: str) -> Exception:
    text = f"Parquet is read in a sandbox only, and there is none just now: {reason}"
    if held_elsewhere():
        return Unavailable(text, code="sandbox_unavailable")
    return UnreadableFile("sandbox_unavailable", f"{text} Send the table as CSV, or try again.")


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
                    raise _too_large()
                copy.write(piece)
        copy.flush()
        yield Path(copy.name)
