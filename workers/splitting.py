"""A job's file into chunks of rows in our own storage, so that each chunk can be had by itself.

The splitting is a chunk too, leased like any other. After each batch it notes how far it came, in
the transaction that makes the batch's chunk: whoever takes it up again goes on from there.
"""

import io
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from berth.problems import nearest
from berth.signature import Signature
from models_hub import storage
from models_hub.quarantine import hold_bytes
from portal import turns
from workers.claims import give_back, held, owned
from workers.keeping import drop_upload
from workers.models import Chunk, Job
from workers.reading import Batch, Reader, UnreadableFile, open_reader
from workers.reading.base import MOST_ROWS
from workers.shelves import give_shelf


def split(chunk: Chunk, until: float) -> None:
    """Split for a while (``until`` by time.monotonic, at least a batch), then give the chunk back.

    Raises UnreadableFile when the file can't be scored, Overtaken when the lease was lost.
    """
    job = chunk.job
    with held(chunk), storage.local_copy(chunk.organisation_id, job.sha256) as path:
        if not _read(chunk, path, until):
            chunk.attempt = 1
            give_back(chunk, counts=False)
            return
    _close(chunk)


def _read(chunk: Chunk, path: Path, until: float) -> bool:
    """Whether the file's end was reached."""
    job = chunk.job
    signature = Signature.from_json(job.version.signature)
    needed = [field.name for field in signature.inputs if field.required]
    reader = open_reader(path, job.format, [field.name for field in signature.inputs])
    if chunk.offset:
        reader.columns = list(job.columns)
    if reader.columns:
        check_names(reader.columns, needed, job.key_column)
    for batch in reader.batches(chunk.offset, chunk.row_to):
        check_names(reader.columns, needed, job.key_column)
        _store(chunk, reader, batch)
        if time.monotonic() > until:
            return False
    return True


def check_names(columns: Sequence[str], needed: Sequence[str], key: str) -> None:
    """Raises UnreadableFile, with the names that come near, when a needed column is not there."""
    missing = [name for name in needed if name not in columns]
    if missing:
        spare = [name for name in columns if name not in needed]
        raise UnreadableFile(
            "missing_columns",
            f"The file lacks {_listed(missing)}, which the model needs."
            f"{_near(missing, spare) or f' It has {_listed(columns)}.'}",
        )
    if key and key not in columns:
        raise UnreadableFile(
            "missing_key",
            f"The file has no column “{key[:60]}” to serve as the key."
            f"{_near([key], columns) or f' It has {_listed(columns)}.'}",
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"“{name[:60]}”" for name in names[:10])
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{'the columns' if len(names) > 1 else 'the column'} {shown}{more}"


def _near(missing: Sequence[str], spare: Sequence[str]) -> str:
    pairs = [(name, nearest(name, spare)) for name in missing]
    hints = [f"“{near[0][:60]}” for “{name[:60]}”" for name, near in pairs if near]
    return f" Rename {', '.join(hints[:10])}?" if hints else ""


def _store(chunk: Chunk, reader: Reader, batch: Batch) -> None:
    """Store a batch's rows and make their chunk."""
    rows = batch.frame.height
    if chunk.row_to + rows > MOST_ROWS:
        raise UnreadableFile("too_many_rows", f"A job takes at most {MOST_ROWS:,} rows.")
    data = packed(batch.frame)
    with owned(chunk):
        # Stored in the transaction that notes it: whoever deletes the job, or the last other user
        # of these bytes, comes before it or after it.
        sha256 = hold_bytes(data)
        Chunk.objects.create(
            job=chunk.job,
            row_from=chunk.row_to,
            row_to=chunk.row_to + rows,
            object_sha256=sha256,
            object_from=chunk.row_to,
        )
        chunk.row_to += rows
        chunk.offset = batch.offset
        chunk.attempt = 1
        chunk.save(update_fields=["row_to", "offset", "attempt"])
        chunk.job.columns = list(reader.columns)
        chunk.job.stored += len(data)
        Job.objects.filter(pk=chunk.job_id).update(
            columns=chunk.job.columns, stored=chunk.job.stored
        )


def packed(frame: pl.DataFrame) -> bytes:
    """A batch's frame as it is stored: Arrow IPC, compressed."""
    stream = io.BytesIO()
    frame.write_ipc(stream, compression="zstd")
    return stream.getvalue()


def rows_of(chunk: Chunk) -> pl.DataFrame:
    """The rows of a chunk, as the splitting stored them. Raises Unavailable."""
    frame = object_of(chunk)
    return frame.slice(chunk.row_from - chunk.object_from, chunk.row_to - chunk.row_from)


def object_of(chunk: Chunk) -> pl.DataFrame:
    """All rows that lie together with a chunk's. Raises Unavailable."""
    data = storage.read_stored(chunk.organisation_id, chunk.object_sha256)
    return pl.read_ipc(io.BytesIO(data))


def _close(chunk: Chunk) -> None:
    """The file was read to its end: how many rows there are is known, and they may be scored."""
    if chunk.row_to == 0:
        raise UnreadableFile("empty", "The file has no rows to score.")
    with owned(chunk):
        chunk.state = Chunk.State.DONE
        chunk.save(update_fields=["state"])
        give_shelf(chunk.job, chunk.row_to)
        drop_upload(chunk.job)
        Job.objects.filter(pk=chunk.job_id).update(rows_total=chunk.row_to)
        turns.announce(turns.Kind.SCORE)
