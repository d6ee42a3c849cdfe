"""A job's file into chunks of rows in our own storage, so that each chunk can be had by itself.

The splitting is a chunk too, leased like any other. After each batch it notes how far it came, in
the transaction that makes the batch's chunk: whoever takes it up again goes on from there.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from berth.problems import nearest
from berth.signature import Signature
from models_hub import storage
from models_hub.quarantine import hold_bytes
from portal import turns
from portal.tenancy import scope
from workers.claims import give_back, held, owned
from workers.failures import FailedRows, MendedRows
from workers.fetching import fetch
from workers.inputs import Inputs
from workers.keeping import drop_upload
from workers.matching import Matching, match
from workers.models import FAILED_ROWS, Chunk, Job
from workers.objects import packed
from workers.reading import Batch, Options, Reader, UnreadableFile, decimals, open_reader
from workers.reading.base import MOST_ROWS
from workers.shelves import give_shelf


def split(chunk: Chunk, until: float) -> None:
    """Split for a while (``until`` by time.monotonic, at least a batch), then give the chunk back.

    Raises UnreadableFile when the file can't be scored, Overtaken when the lease was lost,
    Unavailable when the storage or the sandbox is away.
    """
    with held(chunk), _opened(chunk) as reader:
        if not _read(chunk, reader, until):
            chunk.attempt = 1
            give_back(chunk, counts=False)
            return
    _close(chunk)


@contextmanager
def _opened(chunk: Chunk) -> Iterator[Reader]:
    """What the job's rows are read from."""
    job = chunk.job
    if job.format == FAILED_ROWS:
        yield FailedRows(job)
        return
    if not job.sha256:
        fetch(chunk)
    names = [field.name for field in Signature.from_json(job.version.signature).inputs]
    expected, options = [*names, *job.mapping.values()], Options.from_json(job.reading)
    with (
        storage.local_copy(chunk.organisation_id, job.sha256) as path,
        open_reader(path, job.format, expected, options) as reader,
    ):
        parent = None
        if job.retry_of and job.format.startswith("csv"):
            with scope(chunk.organisation_id):
                parent = Job.objects.filter(pk=job.retry_of).first()
        yield MendedRows(reader, parent) if parent else reader


def _read(chunk: Chunk, reader: Reader, until: float) -> bool:
    """Whether the file's end was reached."""
    job = chunk.job
    if chunk.row_to:
        reader.columns = list(job.columns)
    elif reader.columns:  # before a row of it is read
        matched(job, reader.columns)
    for batch in reader.batches(chunk.offset, chunk.row_to):
        if not chunk.row_to:
            _settle(job, reader, batch)
        _store(chunk, reader, batch)
        if time.monotonic() > until:
            return False
    return True


def _settle(job: Job, reader: Reader, batch: Batch) -> None:
    """Note on the job what was found out about its file; the first chunk's transaction keeps it."""
    job.mapping = {**job.mapping, **matched(job, reader.columns).columns}
    signature = Signature.from_json(job.version.signature)
    options = found_options(reader, Inputs(signature, reader.columns, job.mapping), batch)
    job.reading = {**options.to_json(), **{k: v for k, v in job.reading.items() if v}}


def found_options(reader: Reader, inputs: Inputs, batch: Batch) -> Options:
    """How the file is read, with the decimal sign that its first rows have where none was told."""
    if reader.options.decimal or not reader.options.delimiter:
        return reader.options
    return replace(reader.options, decimal=decimals.detected(inputs.numeric(batch.frame)))


def matched(job: Job, columns: Sequence[str]) -> Matching:
    """The inputs' columns. Raises UnreadableFile, with what may be meant, where one is lacking."""
    fields = Signature.from_json(job.version.signature).inputs
    matching = match(fields, columns, job.mapping)
    check_names(matching, columns, job.key_column)
    return matching


def check_names(matching: Matching, columns: Sequence[str], key: str) -> None:
    """Raises UnreadableFile, with the names that come near, when a needed column is not there."""
    if matching.missing:
        raise UnreadableFile(
            "missing_columns",
            f"The file lacks {_listed(matching.missing)}, which the model needs."
            f"{_near(matching.suggestions) or f' It has {_listed(columns)}.'}",
        )
    if key and key not in columns:
        near = nearest(key, columns)
        hint = f" Is “{near[0][:60]}” meant?" if near else f" It has {_listed(columns)}."
        raise UnreadableFile(
            "missing_key", f"The file has no column “{key[:60]}” to serve as the key.{hint}"
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"“{name[:60]}”" for name in names[:10])
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{'the columns' if len(names) > 1 else 'the column'} {shown}{more}"


def _near(suggestions: Mapping[str, str]) -> str:
    pairs = [f"“{column[:60]}” for “{name[:60]}”" for name, column in suggestions.items()]
    if not pairs:
        return ""
    return f" Is it {', '.join(pairs[:10])}? Then say so in “columns”, or rename it."


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
        chunk.job.save(update_fields=["columns", "stored", "mapping", "reading"])


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
