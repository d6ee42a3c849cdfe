"""What can be done with recurring jobs. Each verb: permission, transaction, audit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from models_hub import quarantine, storage
from models_hub.doors import get_model_for, get_version_for
from models_hub.models import HostedModel, Version
from models_hub.quota import require_room
from portal import turns
from portal.access import Caller, Permission, record
from portal.errors import Conflict
from portal.tenancy import current
from portal.uploads import Received
from workers.models import Job, Run, Schedule
from workers.recognition import recognise
from workers.recurring import sources
from workers.recurring.doors import get_schedule_for
from workers.recurring.plans import Plan
from workers.recurring.sources import Found
from workers.recurring.starting import start

MOST_EACH = 100


def create_schedule(caller: Caller, slug: str, file: Received, plan: Plan) -> Schedule:
    """Store the file, and score it at every slot of the plan from now on.

    Raises Invalid for a file that is none of ours, TooLarge beyond the quota, Conflict beyond
    MOST_EACH recurring jobs of one organisation.
    """
    caller.require(Permission.JOBS)
    model = get_model_for(caller, slug)
    found = Found(file.filename, recognise(file.path, file.filename), file.sha256, file.size)
    require_room(file.size)
    storage.put_file(current(), file.sha256, file.path)
    with transaction.atomic():
        quarantine.hold(file)
        if Schedule.objects.count() >= MOST_EACH:
            detail = f"An organisation has at most {MOST_EACH} recurring jobs: delete one."
            raise Conflict(detail, code="too_many")
        schedule = Schedule(
            organisation_id=current(),
            model=model,
            source=sources.kept(found),
            created_by=caller.actor,
        )
        _plan(caller, schedule, plan)
        schedule.save(force_insert=True)
        record(caller, "schedule.created", schedule, model=slug, **_told(schedule))
    return get_schedule_for(caller, schedule.pk)


def change_schedule(caller: Caller, schedule_id: UUID, plan: Plan) -> Schedule:
    """Give it another plan, which holds from now on; what has run stays."""
    caller.require(Permission.JOBS)
    with transaction.atomic():
        schedule = get_schedule_for(caller, schedule_id, lock=True)
        _plan(caller, schedule, plan)
        schedule.save()
        record(caller, "schedule.changed", schedule, **_told(schedule))
    return get_schedule_for(caller, schedule_id)


def _plan(caller: Caller, schedule: Schedule, plan: Plan) -> None:
    schedule.name, schedule.key_column, schedule.mail = plan.name, plan.key, plan.mail
    schedule.version = _fixed(caller, schedule.model, plan.version)
    schedule.every, schedule.at, schedule.zone = plan.every.value, plan.at, plan.zone
    schedule.weekday, schedule.day = plan.weekday, plan.day
    _wait(schedule)


def _fixed(caller: Caller, model: HostedModel, number: int | None) -> Version | None:
    if number is None:
        return None
    version = get_version_for(caller, model.slug, number)
    if version.status != Version.Status.READY:
        raise Conflict(f"Version {number} is {version.status}.", code="not_ready")
    return version


def _told(schedule: Schedule) -> dict[str, Any]:
    """For the audit log."""
    version = schedule.version.number if schedule.version else "live"
    return {
        "every": schedule.every,
        "at": f"{schedule.at:%H:%M} {schedule.zone}",
        "version": version,
    }


def _wait(schedule: Schedule) -> None:
    """Until the next slot from now, unless it is paused."""
    schedule.next_slot = None if schedule.paused else schedule.timetable.next_after(now())
    if schedule.next_slot is not None:
        turns.announce(turns.Kind.RECUR, schedule.next_slot)


def now() -> datetime:
    """By the database's clock, which all workers share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def replace_file(caller: Caller, schedule_id: UUID, file: Received) -> Schedule:
    """Score this file from the next run on. Raises Invalid and TooLarge as when it was made."""
    caller.require(Permission.JOBS)
    get_schedule_for(caller, schedule_id)
    found = Found(file.filename, recognise(file.path, file.filename), file.sha256, file.size)
    require_room(file.size)
    storage.put_file(current(), file.sha256, file.path)
    with transaction.atomic():
        quarantine.hold(file)
        schedule = get_schedule_for(caller, schedule_id, lock=True)
        before, schedule.source = schedule.source, sources.kept(found)
        schedule.save(update_fields=["source"])
        record(caller, "schedule.file_replaced", schedule, sha256=file.sha256)
        if sha256 := before.get("sha256"):
            quarantine.remove_unused(sha256)
    return schedule


def pause_schedule(caller: Caller, schedule_id: UUID) -> Schedule:
    """No runs from now on. Twice is once."""
    return _set_paused(caller, schedule_id, paused=True)


def resume_schedule(caller: Caller, schedule_id: UUID) -> Schedule:
    """Runs again, from the next slot on: what passed meanwhile is not made up for."""
    return _set_paused(caller, schedule_id, paused=False)


def _set_paused(caller: Caller, schedule_id: UUID, *, paused: bool) -> Schedule:
    caller.require(Permission.JOBS)
    with transaction.atomic():
        schedule = get_schedule_for(caller, schedule_id, lock=True)
        if schedule.paused != paused:
            schedule.paused = paused
            _wait(schedule)
            schedule.save(update_fields=["paused", "next_slot"])
            record(caller, f"schedule.{'paused' if paused else 'resumed'}", schedule)
    return schedule


def run_now(caller: Caller, schedule_id: UUID) -> Job:
    """Start a run beside the timetable. Raises Conflict where a slot's run would be refused."""
    caller.require(Permission.JOBS)
    with transaction.atomic():
        schedule = get_schedule_for(caller, schedule_id, lock=True)
        job = start(caller, schedule)
        Run.objects.create(schedule=schedule, slot=now(), state=Run.State.STARTED, job=job)
    return job


def delete_schedule(caller: Caller, schedule_id: UUID) -> None:
    """It and its history go; the jobs that it started stay."""
    caller.require(Permission.JOBS)
    with transaction.atomic():
        schedule = get_schedule_for(caller, schedule_id, lock=True)
        record(caller, "schedule.deleted", schedule)
        schedule.delete()
        if sha256 := schedule.source.get("sha256"):
            quarantine.remove_unused(sha256)
