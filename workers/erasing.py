"""Erasing keys, by the workers: job after job, each in a transaction of its own."""

import time
from collections.abc import Iterator
from uuid import UUID

import polars as pl
from django.utils import timezone

from models_hub.quarantine import hold_bytes
from portal.access import record, system
from portal.tenancy import current, scope
from workers.actions import OPEN
from workers.doors import rows_of_job
from workers.erasures import ALSO
from workers.keeping import drop_upload, give_up, objects_of
from workers.models import Chunk, Erasure, Job, JobRow
from workers.objects import object_of, packed
from workers.reading import ERROR
from workers.scoring import keys_of

_ERASED = "This row was erased."


def erase_all(organisation_id: UUID, until: float) -> None:
    """Go on with the organisation's erasures until ``until`` (by time.monotonic).

    Jobs at work are left for later. Raises Unavailable.
    """
    with scope(organisation_id):
        waiting = list(Erasure.objects.filter(finished=None).order_by("pk"))
    for erasure in waiting:
        for job_id in erasure.jobs_left:
            if time.monotonic() > until:
                return
            with scope(organisation_id):
                _go_through(erasure.pk, job_id)
        with scope(organisation_id):
            _finish(erasure.pk)


def _go_through(erasure_id: UUID, job_id: UUID) -> None:
    erasure = Erasure.objects.select_for_update().get(pk=erasure_id)
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job_id not in erasure.jobs_left or (job is not None and job.status in OPEN):
        return
    rows = 0 if job is None else erase(job, erasure.key)
    erasure.rows += rows
    erasure.jobs += rows > 0
    erasure.jobs_left.remove(job_id)
    erasure.save(update_fields=["rows", "jobs", "jobs_left"])


def _finish(erasure_id: UUID) -> None:
    erasure = Erasure.objects.select_for_update().get(pk=erasure_id)
    if erasure.finished is None and not erasure.jobs_left:
        erasure.key, erasure.finished = "", timezone.now()
        erasure.save(update_fields=["key", "finished"])
        found = {"jobs": erasure.jobs, "rows": erasure.rows}
        caller = system(current())
        record(caller, "erasure.finished", erasure, "", digest=erasure.digest, **found)


def erase(job: Job, key: str) -> int:
    """Erase the key's rows of a job that is locked and not at work; returns how many there were.

    A job that stopped before its file was read to the end loses the file: what is in it can't be
    looked up. Raises Unavailable.
    """
    rows = set(rows_of_job(job, key=key).values_list("row", flat=True))
    kept = JobRow.objects.filter(shelf=job.shelf, job=job, key=key).delete()[0]
    for chunk in _to_look_into(job, rows):
        rows |= _blank(chunk, key)
    if job.rows_total is None:
        drop_upload(job)
    for also in ALSO:
        also(job, sorted(rows), key)
    if kept:
        job.rows_erased += kept
        job.save(update_fields=["rows_erased"])
    return len(rows)


def _to_look_into(job: Job, rows: set[int]) -> Iterator[Chunk]:
    """A chunk of each stored object in which the key may be: what was scored is known by row."""
    scored = (Chunk.State.DONE, Chunk.State.QUARANTINED)
    seen: set[int] = set()
    for chunk in objects_of(job).select_related("job").order_by("row_from"):
        asked = chunk.state not in scored or any(chunk.row_from <= r < chunk.row_to for r in rows)
        if asked and chunk.object_from not in seen:
            seen.add(chunk.object_from)
            yield chunk


def _blank(chunk: Chunk, key: str) -> set[int]:
    """Store the chunk's object anew with the key's rows empty; returns their numbers."""
    frame = object_of(chunk)
    keys = keys_of(chunk, frame)
    found = {place for place, each in enumerate(keys) if each == key}
    if found:
        gone = pl.Series([place in found for place in range(frame.height)])
        blank = {name: pl.lit(None, kind) for name, kind in frame.schema.items()}
        blank[ERROR] = pl.lit(_ERASED)
        columns = [
            pl.when(gone).then(blank[name]).otherwise(pl.col(name)).alias(name)
            for name in frame.columns
        ]
        data = packed(frame.select(columns))
        sharing = Chunk.objects.filter(job=chunk.job, object_from=chunk.object_from)
        sharing.filter(object_sha256=chunk.object_sha256).update(object_sha256=hold_bytes(data))
        give_up([chunk.object_sha256])
    return {chunk.object_from + place for place in found}
