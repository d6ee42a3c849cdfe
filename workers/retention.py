"""What the organisation's settings say is kept no longer.

``keep_inputs`` off: a job's inputs go when it has succeeded (with or without bad rows), and a day
after it stopped otherwise, for until then it can be resumed. ``inputs_days``, ``jobs_days`` and
``live_days`` count from the end of a job, or from the answer.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.access import record, system
from portal.models import Organisation
from portal.tenancy import current, scope
from workers.actions import OPEN, STOPPED
from workers.keeping import drop_inputs
from workers.models import Job
from workers.removal import remove

RESUMABLE = timedelta(days=1)
AT_ONCE = 2_000
_FORGET_LIVE = """
DELETE FROM predictions_prediction WHERE id IN (
    SELECT id FROM predictions_prediction WHERE organisation_id = %s AND at < %s LIMIT %s)
"""


def expire(organisation_id: UUID, until: float) -> bool:
    """Give up what is past its time, until all is or time is (by time.monotonic): then False."""
    with scope(organisation_id):
        organisation = Organisation.objects.filter(pk=organisation_id).first()
        if organisation is None:  # deleted meanwhile
            return True
        jobs, inputs = _old_jobs(organisation), _old_inputs(organisation)
    in_time = _each(organisation_id, jobs, _remove, until)
    in_time = in_time and _each(organisation_id, inputs, _drop_inputs, until)
    return in_time and _forget_live(organisation, until)


def _before(days: int | None) -> datetime | None:
    return None if days is None else timezone.now() - timedelta(days=days)


def _old_jobs(organisation: Organisation) -> list[UUID]:
    before = _before(organisation.jobs_days)
    if before is None:
        return []
    return list(_ended().filter(finished_at__lt=before).values_list("pk", flat=True))


def _old_inputs(organisation: Organisation) -> list[UUID]:
    old = Q(pk=None)  # none
    if (before := _before(organisation.inputs_days)) is not None:
        old |= Q(finished_at__lt=before)
    if not organisation.keep_inputs:
        old |= ~Q(status__in=STOPPED) | Q(finished_at__lt=timezone.now() - RESUMABLE)
    return list(_ended().filter(old, inputs_gone=False).values_list("pk", flat=True))


def _ended() -> QuerySet[Job]:
    return Job.objects.exclude(status__in=OPEN).order_by("pk")


def _each(
    organisation_id: UUID, ids: Iterable[UUID], deed: Callable[[Job], None], until: float
) -> bool:
    for job_id in ids:
        if time.monotonic() > until:
            return False
        with scope(organisation_id):
            job = _ended().select_for_update().filter(pk=job_id).first()
            if job is not None:
                deed(job)
    return True


def _remove(job: Job) -> None:
    remove(system(current()), job, why="retention")


def _drop_inputs(job: Job) -> None:
    if not job.inputs_gone:
        drop_inputs(job)
        record(system(current()), "job.inputs_deleted", job, why="retention")


def _forget_live(organisation: Organisation, until: float) -> bool:
    before = _before(organisation.live_days)
    gone = AT_ONCE
    while before is not None and gone == AT_ONCE:
        if time.monotonic() > until:
            return False
        with scope(organisation.pk), connection.cursor() as cursor:
            cursor.execute(_FORGET_LIVE, [organisation.pk, before, AT_ONCE])
            gone = cursor.rowcount
    return True
