"""What a job keeps in the storage, and how that is given up.

Each function runs in the organisation's scope, in the transaction of the deed: it notes leftovers,
and ``workers.purging`` removes them once the transaction is committed.
"""

from collections.abc import Iterable

from django.db.models import QuerySet

from models_hub.quarantine import remove_unused
from portal import turns
from portal.errors import Conflict
from portal.tenancy import current, scope
from workers.models import Chunk, Job, Leftover


def give_up(digests: Iterable[str]) -> None:
    """These objects are not needed any more by whoever calls; "" is none (a job of another's failed
    rows has no file)."""
    named = filter(None, digests)
    found = [Leftover(organisation_id=current(), sha256=sha256) for sha256 in named]
    if found:
        Leftover.objects.bulk_create(found, batch_size=1_000)
        turns.announce(turns.Kind.PURGE)


def drop_upload(job: Job) -> None:
    """The file as it was sent: once it is split, its rows are in the chunks' objects."""
    if not job.upload_gone:
        job.upload_gone = True
        job.save(update_fields=["upload_gone"])
        give_up([job.sha256])


def drop_inputs(job: Job) -> None:
    """All that came with the job: the file and the rows read from it. Its predictions stay."""
    drop_upload(job)
    give_up(objects_of(job).values_list("object_sha256", flat=True).distinct())
    objects_of(job).update(object_sha256="")
    job.inputs_gone, job.stored = True, 0
    job.save(update_fields=["inputs_gone", "stored"])


def objects_of(job: Job) -> QuerySet[Chunk]:
    """The job's chunks whose rows are still stored."""
    return Chunk.objects.filter(job=job, row_from__gte=0).exclude(object_sha256="").order_by()


def has_what_is_left(job: Job) -> bool:
    """Whether a stopped job could go on: its file, or what was read from all of it, is there."""
    return not (job.inputs_gone or (job.upload_gone and job.rows_total is None))


def require_inputs(job: Job) -> None:
    """Raises Conflict for a stopped job that can't go on."""
    if not has_what_is_left(job):
        raise Conflict(
            "The job can't go on: its file is not kept any more. Send it again as a new job.",
            code="inputs_gone",
        )


def require_kept_rows(job: Job) -> None:
    """Raises Conflict where the rows that were read for the job are not kept any more."""
    if job.inputs_gone:
        raise Conflict("The rows of this job are not kept any more.", code="inputs_gone")


def remove_leftover(leftover: Leftover) -> None:
    """Remove the object unless something still needs it. Raises Unavailable; again is once."""
    with scope(leftover.organisation_id):
        remove_unused(leftover.sha256)
        leftover.delete()
