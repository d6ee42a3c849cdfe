"""A dry run: what a job would make of a file, told before anything is stored.

Read with the readers that the job would use, bounded in rows and in time. Rows are judged by the
model's signature; the model itself is not asked.
"""

import codecs
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
from django.conf import settings

from berth.problems import Problem
from berth.signature import Signature
from models_hub import incoming
from models_hub.doors import get_model_for
from models_hub.incoming import Incoming
from models_hub.storage import reached
from portal.access import Caller, Permission
from portal.errors import TooLarge, Unavailable
from portal.uploads import Received
from workers.actions import version_to_score
from workers.inputs import Inputs, Judged
from workers.matching import Matching, match
from workers.options import Options
from workers.orders import Order
from workers.reading import Batch, Reader, UnreadableFile, decimals, open_reader
from workers.recognition import check_size, kind_of, recognise
from workers.splitting import check_names, found_options

MOST_ROWS = 100_000
SECONDS = 5.0
SHOWN = 20
MOST_BYTES, MOST_PARQUET = 16 * 1024**2, 256 * 1024**2  # copied of a file in one's own folder
_CHILD = threading.BoundedSemaphore(1)
_WHOLE = r"^[-+]?[0-9]+$"
_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
_TRUTH = r"(?i)^(true|false|yes|no)$"


@dataclass(slots=True)
class Trial:
    """``rows`` were read, ``bad`` of them can't be scored. ``complete``: they are all. ``error``:
    why the file as a whole can't be scored. ``names``: the file's columns;
    ``columns``: each with the kind of its first cells and an example."""

    rows: int = 0
    bad: int = 0
    complete: bool = False
    reading: Mapping[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    columns: list[dict[str, Any]] = field(default_factory=list)
    matching: Matching = field(default_factory=lambda: Matching({}))
    problems: list[tuple[int, Problem]] = field(default_factory=list)
    error: dict[str, str] | None = None

    @property
    def good(self) -> int:
        """How many rows fit."""
        return self.rows - self.bad

    @property
    def read_as(self) -> str:
        """How the file is read, in words."""
        return Options.from_json(self.reading).in_words

    def to_json(self) -> dict[str, Any]:
        """The API's DryRun."""
        return {
            "rows_read": self.rows,
            "rows_good": self.good,
            "rows_bad": self.bad,
            "complete": self.complete,
            "reading": dict(self.reading),
            "columns": self.columns,
            "mapping": self.matching.columns,
            "missing": self.matching.missing,
            "suggestions": self.matching.suggestions,
            "problems": [{"row": row, **problem.to_json()} for row, problem in self.problems],
            "error": self.error,
        }


def dry_run(
    caller: Caller,
    slug: str,
    file: Received | Incoming,
    order: Order,
    *,
    is_part: bool = False,
) -> Trial:
    """What ``workers.actions.submit_job`` would come to; nothing is stored. A file in the
    organisation's own folder is looked at from its beginning, Parquet as a whole. ``is_part``:
    only the beginning of a file was sent.

    Raises as ``submit_job`` does, and Unavailable where too many try Parquet at once.
    """
    caller.require(Permission.JOBS)
    model = get_model_for(caller, slug)
    signature = Signature.from_json(version_to_score(caller, model, order.version).signature)
    order.check(signature)
    if isinstance(file, Received):
        format_ = recognise(file.path, file.filename)
        if is_part:
            _cut(file.path)
        return _try_file(file.path, format_, signature, order, is_whole=not is_part)
    check_size(file.size)
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        path = Path(copy.name)
        is_whole = _copy(file, path)
        format_ = recognise(path, file.filename)
        if not is_whole:
            _cut(path)
        return _try_file(path, format_, signature, order, is_whole=is_whole)


def _cut(path: Path) -> None:
    """Take off what was broken off: all behind the last line's end."""
    with path.open("r+b") as stream:
        is_utf16 = stream.read(2) == codecs.BOM_UTF16_LE
        start = max(0, stream.seek(0, os.SEEK_END) - 1024**2)
        stream.seek(start)
        end = stream.read().rfind(b"\n")
        if end >= 0:
            stream.truncate(start + end + 1 + is_utf16)


def _copy(file: Incoming, path: Path) -> bool:
    """Copy what is tried of a file; whether that is all of it."""
    most = MOST_PARQUET if kind_of(file.filename).startswith("parquet") else MOST_BYTES
    if most == MOST_PARQUET and file.size > most:
        raise TooLarge(f"A dry run of Parquet takes files of up to {most // 1024**2} MB.")
    left = most
    with incoming.opened(file.source) as source, path.open("wb") as target, reached():
        while left and (piece := source.read(min(left, 1024**2))):
            left -= len(piece)
            target.write(piece)
    return file.size <= most


def _try_file(
    path: Path, format_: str, signature: Signature, order: Order, *, is_whole: bool = True
) -> Trial:
    """What would become of the rows of the file at ``path``, which may be only the beginning."""
    trial = Trial()
    expected = [*(about.name for about in signature.inputs), *order.columns.values()]
    try:
        with _turn(format_), open_reader(path, format_, expected, order.options) as reader:
            _try(trial, reader, signature, order)
    except UnreadableFile as error:
        if is_whole or not trial.rows:  # else that is where the beginning ends
            trial.error = {"code": error.code, "detail": error.detail}
    trial.complete = trial.complete and is_whole
    return trial


@contextmanager
def _turn(format_: str) -> Iterator[None]:
    """Parquet takes a child with some memory: one at a time in a web process."""
    if not format_.startswith("parquet"):
        yield
        return
    if not _CHILD.acquire(timeout=SECONDS):
        raise Unavailable("Other Parquet files are being looked at just now; try again.")
    try:
        yield
    finally:
        _CHILD.release()


def _try(trial: Trial, reader: Reader, signature: Signature, order: Order) -> None:
    until = time.monotonic() + SECONDS
    inputs: Inputs | None = None
    trial.reading = reader.options.to_json()
    if reader.columns:
        _match(trial, reader, signature, order)
    for batch in reader.batches(0, 0):
        if inputs is None:
            inputs = _settled(trial, reader, signature, order, batch)
            check_names(trial.matching, reader.columns, order.key)
        inputs = replace(inputs, columns=reader.columns)
        _count(trial, inputs.judge(batch.frame, trial.rows), batch.frame.height)
        if trial.rows >= MOST_ROWS or time.monotonic() > until:
            return
    if inputs is None:
        raise UnreadableFile("empty", "The file has no rows to score.")
    trial.complete = True


def _settled(
    trial: Trial, reader: Reader, signature: Signature, order: Order, batch: Batch
) -> Inputs:
    """What the first rows tell of all."""
    _match(trial, reader, signature, order)
    mapping = {**order.columns, **trial.matching.columns}
    options = found_options(reader, Inputs(signature, reader.columns, mapping), batch)
    if not trial.matching.missing:  # else the decimals of those columns are not known yet
        trial.reading = options.to_json()
    trial.columns = _described(reader.columns, batch.frame, options.decimal)
    return Inputs(signature, reader.columns, mapping, options.decimal or ".")


def _match(trial: Trial, reader: Reader, signature: Signature, order: Order) -> None:
    trial.names = list(reader.columns)
    trial.matching = match(signature.inputs, reader.columns, order.columns)


def _count(trial: Trial, judged: Judged, rows: int) -> None:
    first = trial.rows
    trial.rows += rows
    trial.bad += len(judged.faults)
    for place in sorted(judged.faults)[: SHOWN - len(trial.problems)]:
        trial.problems.append((first + place, judged.faults[place][0]))


def _described(columns: list[str], frame: pl.DataFrame, decimal: str) -> list[dict[str, Any]]:
    return [
        {"name": name, **_kind(frame[str(i)], decimal)}
        for i, name in enumerate(columns)
        if str(i) in frame.columns
    ]


def _kind(cells: pl.Series, decimal: str) -> dict[str, Any]:
    """The kind of a column by its first rows, and an example of its cells."""
    some = cells.drop_nulls()
    if cells.dtype != pl.String:
        kinds = {pl.Int64: "integer", pl.Float64: "number", pl.Boolean: "boolean"}
        kind = kinds.get(type(cells.dtype), "text")
        return {"kind": kind, "example": None if some.is_empty() else str(some[0])[:80]}
    some = some.filter(some.str.strip_chars() != "")
    if some.is_empty():
        return {"kind": "empty", "example": None}
    texts = decimals.with_points(some)[0] if decimal == "," else some
    kind = next(
        (
            kind
            for kind, pattern in (("integer", _WHOLE), ("number", _NUMBER), ("boolean", _TRUTH))
            if texts.str.strip_chars().str.contains(pattern).all()
        ),
        "text",
    )
    return {"kind": kind, "example": str(some[0])[:80]}
