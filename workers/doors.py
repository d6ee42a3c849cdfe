"""The doors to jobs: one per kind of object, 404 for missing and for forbidden."""

from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from portal.access import Caller, Permission
from portal.errors import NotFound
from workers.claims import LEASE_SECONDS
from workers.models import Chunk, Job, JobRow

PACE_SECONDS = 60
_FEWEST_CHUNKS = 3
# The first chunk within the window only says when it began: its own rows were scored before.
_PACE = """
WITH closed AS (
    SELECT lease_until - %(lease)s * interval '1 second' AS at, rows_ok + rows_bad AS rows
    FROM workers_chunk
    WHERE job_id = %(job)s AND row_from >= 0 AND state IN ('done', 'quarantined')
      AND lease_until > clock_timestamp() + (%(lease)s - %(window)s) * interval '1 second'
), first AS (SELECT at, rows FROM closed ORDER BY at LIMIT 1)
SELECT count(*), coalesce(sum(rows), 0) - coalesce((SELECT rows FROM first), 0),
       coalesce(extract(epoch FROM clock_timestamp() - (SELECT at FROM first)), 0)::float8
FROM closed
"""


def _sum(*columns: str) -> Coalesce:
    chunks = Chunk.objects.filter(job=OuterRef("pk"), row_from__gte=0).order_by().values("job")
    total = sum((Sum(column) for column in columns[1:]), Sum(columns[0]))
    return Coalesce(Subquery(chunks.annotate(total=total).values("total")), 0)


def jobs_for(caller: Caller) -> QuerySet[Job]:
    """The organisation's jobs with ``rows_done`` and ``rows_failed``, newest first.

    ``rows_done`` counts the rows that are done with, ``rows_failed`` those among them that have
    an error instead of a prediction.
    """
    caller.require(Permission.READ)
    return (
        Job.objects.select_related("version__model")
        .annotate(rows_done=_sum("rows_ok", "rows_bad"), rows_failed=_sum("rows_bad"))
        .order_by("-id")
    )


def get_job_for(caller: Caller, job_id: UUID) -> Job:
    """The job with this id, counted as in ``jobs_for``."""
    job = jobs_for(caller).filter(pk=job_id).first()
    if job is None:
        raise NotFound("job")
    return job


def get_uncounted_job_for(caller: Caller, job_id: UUID) -> Job:
    """The job with this id, for who asks about its rows: counting takes longer than finding one."""
    caller.require(Permission.READ)
    job = Job.objects.select_related("version__model").filter(pk=job_id).first()
    if job is None:
        raise NotFound("job")
    return job


def rows_of_job(job: Job, *, key: str | None = None) -> QuerySet[JobRow]:
    """The job's stored predictions in the order of the file; only those of ``key`` if given."""
    rows = JobRow.objects.filter(shelf=job.shelf, job=job).order_by("row")
    if key is not None and "\0" in key:  # PostgreSQL has no such text, so no row has it
        return rows.none()
    return rows if key is None else rows.filter(key=key)


def recent_pace(job: Job) -> float | None:
    """Rows per second that were closed within the last minute; None where too few chunks were to
    say. A chunk's lease is extended for the last time as it closes: that tells when it was."""
    with connection.cursor() as cursor:
        cursor.execute(_PACE, {"job": job.pk, "lease": LEASE_SECONDS, "window": PACE_SECONDS})
        chunks, rows, seconds = cursor.fetchone()
    return float(rows) / seconds if chunks >= _FEWEST_CHUNKS and seconds > 1 else None


def rows_read(job: Job) -> int:
    """How many rows of the file were read so far."""
    split = Chunk.objects.filter(job=job, row_from=Chunk.SPLIT)
    return split.values_list("row_to", flat=True).first() or 0
