"""The doors to recurring jobs: 404 for missing and for forbidden."""

from uuid import UUID

from django.db.models import QuerySet

from portal.access import Caller, Permission
from portal.errors import NotFound
from workers.models import Run, Schedule


def schedules_for(caller: Caller) -> QuerySet[Schedule]:
    """The organisation's recurring jobs, newest first, with model and version."""
    caller.require(Permission.READ)
    return Schedule.objects.select_related("model", "version")


def get_schedule_for(caller: Caller, schedule_id: UUID, *, lock: bool = False) -> Schedule:
    """The recurring job with this id. ``lock`` holds its row until the transaction ends."""
    rows = schedules_for(caller)
    if lock:
        rows = rows.select_for_update(of=("self",))
    schedule = rows.filter(pk=schedule_id).first()
    if schedule is None:
        raise NotFound("recurring job")
    return schedule


def runs_of(schedule: Schedule) -> QuerySet[Run]:
    """What became of its slots, the newest first, with their jobs."""
    return Run.objects.filter(schedule=schedule).select_related("job")
