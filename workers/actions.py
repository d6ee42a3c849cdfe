"""What can be done with jobs (``removal`` deletes them). Verbs: permission, transaction, audit."""

from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from models_hub import storage
from models_hub.doors import deployments_of, get_model_for, get_version_for
from models_hub.models import Architecture, HostedModel, Version
from models_hub.quarantine import hold
from models_hub.quota import require_room
from portal import turns
from portal.access import Caller, Permission, record
from portal.errors import Conflict, Invalid, NotFound
from portal.tenancy import current
from portal.uploads import Received
from workers import endings
from workers.doors import get_job_for
from workers.keeping import require_inputs
from workers.models import Chunk, Job
from workers.recognition import recognise
from workers.recurring.sources import Found

OPEN = (Job.Status.QUEUED, Job.Status.RUNNING)
STOPPED = (Job.Status.CANCELLED, Job.Status.FAILED)


def submit_job(
    caller: Caller, slug: str, file: Received, *, key: str = "", version: int | None = None
) -> Job:
    """Store the file and leave a job behind; workers will score it.

    ``key``: the column with the caller's own ids. ``version``: a ready version's number; the
    live one unless given. The file is stored, durably, before the job exists: what is
    acknowledged is there. Raises Invalid for a file that is none of ours, Conflict when nothing
    is live or the architecture is off, TooLarge beyond the quota.
    """
    caller.require(Permission.JOBS)
    model = get_model_for(caller, slug)
    chosen = version_to_score(caller, model, version)
    if len(key) > 200 or "\0" in key:  # PostgreSQL has no text with a NUL in it
        detail = "A column's name has at most 200 characters, and none of them is NUL."
        raise Invalid.field("key", "bad_text", detail)
    format_ = recognise(file.path, file.filename)
    require_room(file.size)
    storage.put_file(current(), file.sha256, file.path)
    with transaction.atomic():
        hold(file)
        job = enqueue(caller, chosen, Found(file.filename, format_, file.sha256, file.size), key)
    return get_job_for(caller, job.pk)


def enqueue(caller: Caller, version: Version, file: Found, key: str, **noted: str) -> Job:
    """A job for a file that is stored. Call inside a transaction that holds the file there;
    ``noted`` goes to the audit log."""
    job = Job.objects.create(
        version=version,
        filename=file.filename,
        format=file.format,
        sha256=file.sha256,
        size=file.size,
        key_column=key.strip(),
        created_by=caller.actor,
    )
    Chunk.objects.create(job=job, row_from=Chunk.SPLIT)
    slug = version.model.slug
    record(caller, "job.submitted", job, model=slug, version=version.number, **noted)
    turns.announce(turns.Kind.SCORE)
    return job


def version_to_score(caller: Caller, model: HostedModel, number: int | None) -> Version:
    """The model's version of that number, or its live one. Raises Conflict where offline
    predictions are off, nothing is live, or the version is not ready."""
    deployment = deployments_of(model).get(Architecture.OFFLINE)
    if deployment is None or not deployment.is_active:
        raise Conflict(
            f"Offline predictions of “{model.slug}” are switched off.", code="deployment_off"
        )
    version = model.live if number is None else get_version_for(caller, model.slug, number)
    if version is None:
        raise Conflict(
            f"No version of “{model.slug}” is live yet: promote one first.", code="nothing_live"
        )
    if version.status != Version.Status.READY:
        raise Conflict(f"Version {version.number} is {version.status}.", code="not_ready")
    return version


def cancel_job(caller: Caller, job_id: UUID) -> Job:
    """Stop a job. What was scored stays; not a row is added from now on. Twice is once.

    Workers that are at it find out when they want to write. Raises Conflict when it has ended.
    """
    caller.require(Permission.JOBS)
    with transaction.atomic():
        job = locked(caller, job_id)
        if job.status in OPEN:
            job.status = Job.Status.CANCELLED
            job.finished_at = timezone.now()
            job.save(update_fields=["status", "finished_at"])
            record(caller, "job.cancelled", job)
            endings.tell(job)
        elif job.status != Job.Status.CANCELLED:
            raise Conflict(f"The job has ended already: it {_ended(job)}.", code="job_ended")
    return get_job_for(caller, job_id)


def resume_job(caller: Caller, job_id: UUID) -> Job:
    """Go on with a cancelled or failed job from where it stopped.

    A job that is at work stays so. Raises Conflict when it ended by itself, or its file is gone.
    """
    caller.require(Permission.JOBS)
    with transaction.atomic():
        job = locked(caller, job_id)
        if job.status in STOPPED:
            require_inputs(job)
            _restart(job)
            record(caller, "job.resumed", job)
        elif job.status not in OPEN:
            raise Conflict(f"There is nothing left to do: the job {_ended(job)}.", code="job_ended")
    return get_job_for(caller, job_id)


def _restart(job: Job) -> None:
    job.status = Job.Status.RUNNING if job.started_at else Job.Status.QUEUED
    job.error, job.finished_at, job.crashes = None, None, 0
    job.save(update_fields=["status", "error", "finished_at", "crashes"])
    # The raised fence shuts out whoever still works at a chunk from before.
    waiting = (Chunk.State.PENDING, Chunk.State.LEASED)
    Chunk.objects.filter(job=job, state__in=waiting).update(
        state=Chunk.State.PENDING, lease_until=None, attempt=0, fence=F("fence") + 1
    )
    turns.announce(turns.Kind.SCORE)


def locked(caller: Caller, job_id: UUID) -> Job:
    """The job, its row held: a chunk that is just closing comes first, any later one too late."""
    get_job_for(caller, job_id)
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:  # deleted since
        raise NotFound("job")
    return job


def _ended(job: Job) -> str:
    return "succeeded" if job.status == Job.Status.SUCCEEDED else "ended with some rows unscored"
