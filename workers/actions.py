"""What can be done with jobs (``removal`` deletes them). Verbs: permission, transaction, audit."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from berth.signature import Signature
from models_hub import storage
from models_hub.doors import deployments_of, get_model_for, get_version_for
from models_hub.incoming import Incoming
from models_hub.models import Architecture, HostedModel, Version
from models_hub.quarantine import hold
from models_hub.quota import require_room
from models_hub.standing import RETRY_SECONDS, standing
from portal import turns
from portal.access import Caller, Permission, record
from portal.errors import Conflict, NotFound, Unavailable
from portal.tenancy import current
from portal.uploads import Received
from workers import endings
from workers.doors import get_job_for
from workers.keeping import require_inputs, require_kept_rows
from workers.models import FAILED_ROWS, Chunk, Job
from workers.orders import Order
from workers.recognition import check_size, kind_of, recognise
from workers.recurring.sources import Found

OPEN = (Job.Status.QUEUED, Job.Status.RUNNING)
STOPPED = (Job.Status.CANCELLED, Job.Status.FAILED)


def submit_job(
    caller: Caller,
    slug: str,
    file: Received | Incoming,
    *,
    key: str = "",
    version: int | None = None,
    order: Order | None = None,
) -> Job:
    """Store the file and leave a job behind; workers will score it.

    ``file``: one that was sent, or one that lies in the organisation's own folder, which a worker
    fetches. ``key``: the column with the caller's own ids. ``version``: a ready version's number;
    the live one unless given. ``order``: what else was said, with key and version in it. A file
    that was sent is stored, durably, before the job exists: what is acknowledged is there.
    Raises Invalid for a file that is none of ours, Conflict when nothing is live or the
    architecture is off, TooLarge beyond the quota, Unavailable for Parquet without a sandbox.
    """
    caller.require(Permission.JOBS)
    order = order or Order(key=key, version=version)
    model = get_model_for(caller, slug)
    chosen = version_to_score(caller, model, order.version)
    order.check(Signature.from_json(chosen.signature))
    retried = order.retry_of and get_job_for(caller, order.retry_of).pk
    place = _sent(file) if isinstance(file, Received) else _named(file)
    with transaction.atomic():
        if isinstance(file, Received):
            hold(file)
        job = _started(
            caller,
            "job.submitted",
            None,
            **place,
            version=chosen,
            filename=file.filename,
            size=file.size,
            key_column=order.key,
            mapping=dict(order.columns),
            reading=order.options.to_json(),
            retry_of=retried,
        )
    return get_job_for(caller, job.pk)


def _sent(file: Received) -> dict[str, str]:
    """Store a file that was sent; what the job notes of it."""
    format_ = _takeable(recognise(file.path, file.filename), file.size)
    storage.put_file(current(), file.sha256, file.path)
    return {"format": format_, "sha256": file.sha256}


def _named(file: Incoming) -> dict[str, str]:
    """What the job notes of a file that a worker will fetch."""
    return {"format": _takeable(kind_of(file.filename), file.size), "source": file.source}


def _takeable(format_: str, size: int) -> str:
    if format_.startswith("parquet"):
        require_sandbox()
    check_size(size)
    require_room(size)
    return format_


def retry_job(caller: Caller, job_id: UUID, *, version: int | None = None) -> Job:
    """A new job of just those rows of an ended one that could not be scored, as they were read.

    ``version``: another ready version of the same model; the same one unless given. Raises
    Conflict while the job is at work, when no row of it failed, and when its rows are not kept.
    """
    caller.require(Permission.JOBS)
    parent = get_job_for(caller, job_id)
    if parent.status in OPEN:
        raise Conflict("The job has not ended yet.", code="job_not_ended")
    if not parent.rows_failed:  # type: ignore[attr-defined]  # counted, as doors give it
        raise Conflict("No row of this job failed.", code="nothing_failed")
    require_kept_rows(parent)
    number = parent.version.number if version is None else version
    chosen = version_to_score(caller, parent.version.model, number)
    with transaction.atomic():
        job = _started(
            caller,
            "job.retried",
            None,
            version=chosen,
            filename=parent.filename,
            format=FAILED_ROWS,
            sha256="",
            size=0,
            key_column=parent.key_column,
            mapping=parent.mapping,
            reading=parent.reading,
            retry_of=parent.pk,
        )
    return get_job_for(caller, job.pk)


def enqueue(caller: Caller, version: Version, file: Found, key: str, **noted: str) -> Job:
    """A job for a file that is stored. Call inside a transaction that holds the file there;
    ``noted`` goes to the audit log."""
    return _started(
        caller,
        "job.submitted",
        noted,
        version=version,
        filename=file.filename,
        format=file.format,
        sha256=file.sha256,
        size=file.size,
        key_column=key.strip(),
    )


def _started(caller: Caller, deed: str, noted: Mapping[str, Any] | None, **about: Any) -> Job:
    fields: Any = {**about, "created_by": caller.actor}
    job: Job = Job.objects.create(**fields)
    Chunk.objects.create(job=job, row_from=Chunk.SPLIT)
    version = job.version
    record(caller, deed, job, model=version.model.slug, version=version.number, **(noted or {}))
    turns.announce(turns.Kind.SCORE)
    return job


def require_sandbox() -> None:
    """Raises Unavailable where no worker has the sandbox that Parquet is read in."""
    found = standing()
    if not found.holds:
        raise Unavailable(
            f"Parquet is read in a sandbox only, and no worker has one just now: {found.reason}"
            " Send the table as CSV or JSON lines.",
            code="sandbox_unavailable",
            retry_after=RETRY_SECONDS,
        )


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
