"""How chunks and jobs end. Each function is one transaction; doing it twice is doing it once."""

from uuid import UUID

import polars as pl
from django.db import connection

from portal import turns
from portal.access import record, system
from portal.tenancy import current, scope
from workers import endings
from workers.claims import MOST_ATTEMPTS, owned
from workers.models import Chunk, Job, JobRow
from workers.objects import rows_of
from workers.scoring import Outcome, keys_of

MOST_CRASHES = 300
_POISON = "The model ended its worker on this row; the row was set apart."

# PostgreSQL takes no COPY into a table with row-level security: the rows are copied into a table
# of this connection's own, and inserted from there through the wall.
_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
    row bigint, key text, value float8, label text, probability float8, error text
) ON COMMIT DELETE ROWS
"""
_COPY = "COPY pg_temp.incoming FROM STDIN (FORMAT csv)"
_INSERT = """
INSERT INTO workers_jobrow
    (organisation_id, job_id, shelf, row, key, value, label, probability, error)
SELECT %s, %s, %s, * FROM pg_temp.incoming
"""
_END = """
UPDATE workers_job j SET finished_at = clock_timestamp(), status = CASE
    WHEN EXISTS (SELECT 1 FROM workers_chunk c WHERE c.job_id = j.id AND c.rows_bad > 0)
    THEN 'partial' ELSE 'succeeded' END
WHERE organisation_id = %s AND status = 'running' AND rows_total IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM workers_chunk c WHERE c.job_id = j.id AND c.state IN ('pending', 'leased'))
RETURNING id, status
"""


def finish(chunk: Chunk, outcome: Outcome) -> None:
    """Close a chunk and store its rows. Raises Overtaken, and then stores nothing."""
    with owned(chunk):
        _store(chunk, outcome)
        chunk.state = Chunk.State.DONE
        chunk.rows_bad = outcome.bad
        chunk.rows_ok = len(outcome.rows) - outcome.bad
        chunk.save(update_fields=["state", "rows_ok", "rows_bad"])
    with scope(chunk.organisation_id):
        end_jobs()


def _store(chunk: Chunk, outcome: Outcome) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_INCOMING)
        cursor.execute("DELETE FROM pg_temp.incoming")
        with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
            copy.write(_as_csv(outcome))
        cursor.execute(_INSERT, [chunk.organisation_id, chunk.job_id, chunk.job.shelf])


def _as_csv(outcome: Outcome) -> bytes:
    """As COPY reads it: a text in quotes, nothing at all for NULL."""
    texts, numbers = pl.String, pl.Float64
    frame = pl.DataFrame(
        [
            pl.Series("row", outcome.rows, pl.Int64),
            pl.Series("key", outcome.keys, texts),
            pl.Series("value", outcome.values, numbers),
            pl.Series("label", outcome.labels, texts),
            pl.Series("probability", outcome.probabilities, numbers),
            pl.Series("error", outcome.errors, texts),
        ]
    )
    return frame.write_csv(include_header=False, quote_style="non_numeric").encode()


def end_jobs() -> None:
    """End the jobs of the organisation in scope that have nothing left to do."""
    with connection.cursor() as cursor:
        cursor.execute(_END, [current()])
        ended = cursor.fetchall()
    for job_id, status in ended:
        job = Job.objects.get(pk=job_id)
        record(system(current()), f"job.{status}", job)
        endings.tell(job)
        turns.announce(turns.Kind.PURGE)  # its inputs, where the organisation keeps none


def fail(organisation_id: UUID, job_id: UUID, code: str, detail: str) -> None:
    """The job as a whole can't be done; it can be resumed when the cause is gone."""
    with scope(organisation_id):
        job = Job.objects.select_for_update().get(pk=job_id)
        if job.status in (Job.Status.QUEUED, Job.Status.RUNNING):
            _fail(job, code, detail)


def _fail(job: Job, code: str, detail: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        job.finished_at = cursor.fetchone()[0]
    job.status = Job.Status.FAILED
    job.error = {"code": code, "detail": detail}
    job.save(update_fields=["status", "error", "finished_at"])
    record(system(current()), "job.failed", job, code=code)
    endings.tell(job)


def divide(chunk: Chunk) -> None:
    """Halve a chunk that outlived its workers, until the row that ends them stands alone.

    That row is then quarantined with its error, and all others are scored. A job whose chunks
    outlive too many fails: then it is the model, not a row.
    """
    with scope(chunk.organisation_id):
        # Locked for update before ``owned`` shares it: two who divide at once must not deadlock.
        job = Job.objects.select_for_update().get(pk=chunk.job_id)
        with owned(chunk):
            job.crashes += 1
            job.save(update_fields=["crashes"])
            if job.crashes > MOST_CRASHES:
                _fail(job, "model_crashes", f"The model ended its worker {job.crashes} times.")
            elif chunk.row_to - chunk.row_from == 1:
                _quarantine(chunk)
            else:
                _halve(chunk)
        end_jobs()


def _halve(chunk: Chunk) -> None:
    middle = (chunk.row_from + chunk.row_to) // 2
    chunk.attempt = MOST_ATTEMPTS - 1  # one try for each half, then the next halving
    Chunk.objects.create(
        job=chunk.job,
        row_from=middle,
        row_to=chunk.row_to,
        object_sha256=chunk.object_sha256,
        object_from=chunk.object_from,
        attempt=chunk.attempt,
    )
    chunk.row_to = middle
    chunk.state = Chunk.State.PENDING
    chunk.lease_until = None
    chunk.save(update_fields=["row_to", "attempt", "state", "lease_until"])


def _quarantine(chunk: Chunk) -> None:
    JobRow.objects.create(
        job_id=chunk.job_id,
        shelf=chunk.job.shelf,
        row=chunk.row_from,
        key=keys_of(chunk, rows_of(chunk))[0],
        error=_POISON,
    )
    chunk.state = Chunk.State.QUARANTINED
    chunk.rows_bad = 1
    chunk.error = _POISON
    chunk.save(update_fields=["state", "rows_bad", "error"])
