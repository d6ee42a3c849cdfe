"""The start of one run: the schedule's file becomes a job."""

from models_hub.quota import require_room
from portal.access import Caller
from workers.actions import enqueue, version_to_score
from workers.models import Job, Schedule
from workers.recurring import sources


def start(caller: Caller, schedule: Schedule) -> Job:
    """A job of the schedule's, in the caller's name. Call inside a transaction that holds the
    schedule's row: so the file that it finds stays until the job needs it.

    Raises Conflict where nothing can be scored now, TooLarge where the quota is used up,
    Unavailable where the source can't be reached.
    """
    number = schedule.version.number if schedule.version else None
    version = version_to_score(caller, schedule.model, number)
    require_room(0)
    file = sources.find(schedule.source)
    return enqueue(caller, version, file, schedule.key_column, schedule=str(schedule.pk))
