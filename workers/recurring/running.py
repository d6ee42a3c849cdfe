"""Slots that have come: each becomes a run, once, however many workers look.

The schedule's row is locked while its slots are settled; the job, the run that notes it and the
next slot are one transaction. Killed at any point, a slot is either settled or still to come.
"""

from itertools import takewhile
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models.functions import Now

from portal import turns
from portal.access import system
from portal.errors import Conflict, NotFound, TooLarge
from portal.tenancy import DATABASE_AWAY, scope
from portal.turns import Kind
from workers import letters
from workers.models import Run, Schedule
from workers.recurring.actions import now
from workers.recurring.starting import start

log = structlog.get_logger()
NEXT = "SELECT min(next_slot) FROM workers_schedule"
SKIPPED = "Berth was not running at that time; a later run took its place."


def run_due() -> None:
    """Settle every slot that has come, of all organisations."""
    passed: set[UUID] = set()
    while (organisation_id := turns.next_turn(Kind.RECUR, passed)) is not None:
        stuck: set[UUID] = set()
        while _settle_one(organisation_id, stuck):
            pass
        with scope(organisation_id):
            turns.put_off(Kind.RECUR, NEXT)
        passed.add(organisation_id)


def _settle_one(organisation_id: UUID, stuck: set[UUID]) -> bool:
    """Whether there was a schedule with a slot that had come. One that can't be settled just now
    goes to the ``stuck``: it is tried again at the next bell, and holds up no other."""
    with scope(organisation_id):
        due = Schedule.objects.filter(next_slot__lte=Now()).exclude(pk__in=stuck)
        schedule_id = due.order_by("next_slot").values_list("pk", flat=True).first()
    if schedule_id is None:
        return False
    try:
        with scope(organisation_id):
            _settle(schedule_id)
    except DATABASE_AWAY:
        raise
    except Exception:  # whatever it is, other people's jobs must run
        log.exception("schedule_stuck", schedule=str(schedule_id))
        stuck.add(schedule_id)
    return True


def _settle(schedule_id: UUID) -> None:
    """Run the latest slot that has come and note those before it as skipped."""
    due = Schedule.objects.select_for_update(of=("self",)).filter(next_slot__lte=Now())
    schedule = due.select_related("model", "version").filter(pk=schedule_id).first()
    if schedule is None or schedule.next_slot is None:  # somebody else was faster
        return
    moment = now()
    later = schedule.timetable.slots(schedule.next_slot)
    slots = [schedule.next_slot, *takewhile(lambda slot: slot <= moment, later)]
    settled = Run.objects.filter(schedule=schedule, slot__in=slots).values_list("slot", flat=True)
    fresh = [slot for slot in slots if slot not in set(settled)]
    for slot in fresh:
        run = Run(organisation_id=schedule.organisation_id, schedule=schedule, slot=slot)
        if slot == slots[-1]:
            _start(run)
        else:
            run.state, run.detail = Run.State.SKIPPED, SKIPPED
        run.save(force_insert=True)
    schedule.next_slot = schedule.timetable.next_after(max(moment, slots[-1]))
    schedule.save(update_fields=["next_slot"])


def _start(run: Run) -> None:
    schedule = run.schedule
    caller = system(schedule.organisation_id, schedule.created_by)
    try:
        with transaction.atomic():
            run.job = start(caller, schedule)
        run.state = Run.State.STARTED
    except (Conflict, NotFound, TooLarge) as error:
        run.state, run.detail = Run.State.REFUSED, error.detail
        letters.tell_of_refusal(run)
