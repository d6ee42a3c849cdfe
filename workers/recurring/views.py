"""The pages of recurring jobs: all of them, a new one, one with its history."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from portal.access import Permission
from portal.error_pages import problem_json
from portal.errors import BerthError
from portal.pages import PageRequest, deed, page, refuse
from portal.uploads import received, required
from workers.forms import Choices, version_choices
from workers.models import Run, Schedule
from workers.recurring import actions
from workers.recurring.doors import get_schedule_for, runs_of, schedules_for
from workers.recurring.forms import ScheduleForm, initial_of
from workers.recurring.plans import FIELDS, Plan, plan_of
from workers.recurring.timetable import Every
from workers.recurring_models import WEEKDAYS
from workers.views import CHIPS

HISTORY = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """A recurring job as people read it."""

    row: Schedule

    @property
    def when(self) -> str:
        every = Every(self.row.every)
        at = f"at {self.row.at:%H:%M}, {self.row.zone.replace('_', ' ')}"
        if every == Every.WEEK:
            return f"Each {WEEKDAYS[self.row.weekday].title()} {at}"
        if every == Every.MONTH:
            last = " (or the month’s last)" if self.row.day > 28 else ""
            return f"Each month on day {self.row.day}{last} {at}"
        return f"Each day {at}"

    @property
    def version(self) -> str:
        number = self.row.version.number if self.row.version else None
        return f"version {number}" if number else "the live version"


@page
def schedules(request: PageRequest) -> HttpResponse:
    """All of them, the newest first."""
    rows = [Shown(schedule) for schedule in schedules_for(request.caller)]
    return render(request, "workers/schedules.html", {"nav": "schedules", "schedules": rows})


@page
def schedule_new(request: PageRequest) -> HttpResponse:
    """The form, and what comes of it: a recurring job that waits for its first hour."""
    request.caller.require(Permission.JOBS)
    choices = version_choices(request.caller)
    if request.method != "POST":
        initial = {"model": request.GET.get("model", "")}
        return _form(request, ScheduleForm(choices, initial=initial, guess=True))
    try:
        file = required(request, "file")
        slug, plan = _asked(request)
        schedule = actions.create_schedule(request.caller, slug, file, plan)
    except BerthError as error:
        return _refused(request, choices, error)
    messages.success(request, f"“{schedule.name}” waits for its first run.")
    return _done(request, schedule.pk)


@page
def schedule_edit(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """Another plan, and another file if one is sent."""
    request.caller.require(Permission.JOBS)
    schedule = get_schedule_for(request.caller, schedule_id)
    slug = schedule.model.slug
    choices = [g for g in version_choices(request.caller) if g[1][0][0].split()[0] == slug]
    if request.method != "POST":
        form = ScheduleForm(choices, initial=initial_of(schedule))
        return _form(request, form, schedule=schedule)
    try:
        _, plan = _asked(request)
        file = received(request, "file")
        actions.change_schedule(request.caller, schedule_id, plan)
        if file is not None:
            actions.replace_file(request.caller, schedule_id, file)
    except BerthError as error:
        return _refused(request, choices, error, schedule=schedule)
    messages.success(request, "Saved. It holds from the next run on.")
    return _done(request, schedule_id)


def _asked(request: PageRequest) -> tuple[str, Plan]:
    """The model's slug and the plan in the form. A box that isn't ticked sends nothing."""
    slug, _, number = request.POST.get("model", "").partition(" ")
    fields = {name: request.POST.get(name, "") for name in FIELDS}
    return slug, plan_of({**fields, "version": number})


def _done(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    place = reverse("schedule", args=[schedule_id])
    return (
        JsonResponse({"location": place}, status=201) if _wants_json(request) else redirect(place)
    )


def _wants_json(request: PageRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _refused(
    request: PageRequest, choices: Choices, error: BerthError, schedule: Schedule | None = None
) -> HttpResponse:
    if _wants_json(request):
        return problem_json(request, error)
    form = ScheduleForm(choices, request.POST, request.FILES)
    form.errors.clear()
    refuse(form, error, instead="model")
    return _form(request, form, schedule=schedule, status=error.status)


def _form(
    request: PageRequest, form: ScheduleForm, *, schedule: Schedule | None = None, status: int = 200
) -> HttpResponse:
    if schedule is not None:
        form.fields["file"].required = False
        form.fields["file"].help_text = f"Instead of {schedule.source.get('filename')}."
    most = settings.MAX_JOB_BYTES
    context = {
        "nav": "schedules",
        "form": form,
        "schedule": schedule,
        "most": most,
        "file_note": f".csv, .parquet or .jsonl, also as .gz; at most {filesizeformat(most)}.",
    }
    return render(request, "workers/schedule_form.html", context, status=status)


@page
def schedule(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """One: when it runs next, and what became of its hours."""
    row = get_schedule_for(request.caller, schedule_id)
    context: dict[str, Any] = {
        "nav": "schedules",
        "schedule": row,
        "shown": Shown(row),
        "next_local": _local(row, row.next_slot) if row.next_slot else "",
        "runs": [_line(row, run) for run in runs_of(row)[:HISTORY]],
        "history": HISTORY,
    }
    return render(request, "workers/schedule.html", context)


def _line(schedule: Schedule, run: Run) -> tuple[Run, str, str, str]:
    """The run, its slot by the schedule's clocks, and the chip that says how it went."""
    at = _local(schedule, run.slot)
    if run.job is not None:
        return run, at, CHIPS[run.job.Status(run.job.status)], run.job.get_status_display()
    return run, at, "bad" if run.state == Run.State.REFUSED else "", run.get_state_display()


def _local(schedule: Schedule, moment: Any) -> str:
    return f"{moment.astimezone(schedule.timetable.zone):%-d %b %Y, %H:%M}"


@deed
def schedule_run(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """Start a run now."""
    try:
        job = actions.run_now(request.caller, schedule_id)
    except BerthError as error:
        if error.status not in (409, 413):
            raise
        messages.error(request, error.detail)
        return redirect("schedule", schedule_id)
    messages.success(request, "Started, beside its timetable.")
    return redirect("job", job.pk)


@deed
def schedule_pause(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """Let it rest."""
    row = actions.pause_schedule(request.caller, schedule_id)
    messages.success(request, f"“{row.name}” rests until you resume it.")
    return redirect("schedule", schedule_id)


@deed
def schedule_resume(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """Let it run again."""
    row = actions.resume_schedule(request.caller, schedule_id)
    messages.success(request, f"“{row.name}” runs again.")
    return redirect("schedule", schedule_id)


@deed
def schedule_delete(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """It goes, its jobs stay."""
    actions.delete_schedule(request.caller, schedule_id)
    messages.success(request, "The recurring job is deleted. The jobs that it started are kept.")
    return redirect("schedules")
