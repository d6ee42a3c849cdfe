"""Jobs on their way out: deleted by somebody, or by the organisation's retention."""

from uuid import UUID

from django.db import connection, transaction

from portal import turns
from portal.access import Caller, Permission, record
from portal.errors import Conflict
from workers.actions import OPEN, locked
from workers.keeping import drop_inputs
from workers.models import Job

_DELETE_ROWS = "DELETE FROM workers_jobrow WHERE shelf = 0 AND job_id = %s"


def delete_job(caller: Caller, job_id: UUID) -> None:
    """Delete an ended job and all that came of it. Raises Conflict while it is at work.

    For everybody it is gone at once; its stored objects and its shelf go soon after (see
    ``workers.purging``). The audit log keeps what it was called and how many rows it had.
    """
    caller.require(Permission.JOBS)
    with transaction.atomic():
        job = locked(caller, job_id)
        if job.status in OPEN:
            raise Conflict(
                "The job has not ended yet: cancel it first, then delete it.", code="job_not_ended"
            )
        remove(caller, job)


def remove(caller: Caller, job: Job, **why: str) -> None:
    """Delete a job that is locked and not at work, in the caller's transaction.

    What other tables hold of it goes along a foreign key that cascades.
    """
    record(caller, "job.deleted", job, rows=job.rows_total, **why)
    drop_inputs(job)
    if job.shelf == 0:
        with connection.cursor() as cursor:
            cursor.execute(_DELETE_ROWS, [job.pk])
    job.delete()
    turns.announce(turns.Kind.PURGE)  # of its shelf, where it has one
