"""Home: the first steps, what needs attention, and what there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from models_hub.doors import models_for
from models_hub.models import HostedModel, Version
from models_hub.views.frame import Chip, status_of
from portal.access import Caller
from portal.pages import PageRequest, page
from portal.views.first_steps import steps_for
from predictions.models import Prediction
from workers.doors import jobs_for
from workers.models import Job

MODELS, JOBS = 6, 5
RECENT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Line:
    """A model in the list, with its newest version and when it last answered."""

    model: HostedModel
    newest: Version | None
    chips: list[Chip]


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs a person, and the way to it."""

    kind: str
    title: str
    text: str
    href: str
    action: str


@page
def home(request: PageRequest) -> HttpResponse:
    """The organisation at a glance."""
    lines = _lines(request.caller)
    jobs = list(jobs_for(request.caller)[:JOBS])
    # The step's links lead to the model that has come furthest.
    model = next((line.model for line in lines if line.model.live_id), None)
    steps = steps_for(request.caller.permissions, model or (lines[0].model if lines else None))
    context = {
        "nav": "home",
        "steps": steps,
        "next_step": next((step for step in steps if step.href), None),
        "steps_done": sum(step.state == "done" for step in steps),
        "lines": lines[:MODELS],
        "more_models": max(len(lines) - MODELS, 0),
        "jobs": jobs,
        "concerns": [*_about_versions(lines), *_about_jobs(request.caller)],
    }
    return render(request, "portal/home.html", context)


def _lines(caller: Caller) -> list[Line]:
    newest = Version.objects.filter(model=OuterRef("pk")).order_by("-number")
    calls = Prediction.objects.filter(model=OuterRef("slug")).order_by("-at")
    models = models_for(caller).annotate(
        newest_id=Subquery(newest.values("pk")[:1]), last_call=Subquery(calls.values("at")[:1])
    )
    rows = list(models)
    versions = Version.objects.in_bulk([row.newest_id for row in rows if row.newest_id])
    found = [(row, versions.get(row.newest_id)) for row in rows]
    return [Line(row, version, status_of(row, version)) for row, version in found]


def _about_versions(lines: list[Line]) -> Iterator[Concern]:
    for line in lines:
        if line.newest is None:
            continue
        href = reverse("version", args=[line.model.slug, line.newest.number])
        name = f"Version {line.newest.number} of {line.model.name}"
        if line.newest.status == Version.Status.REFUSED:
            reason = (line.newest.refusal or {}).get("detail", "")
            yield Concern("bad", f"{name} was refused", reason, href, "See the report")
        elif line.newest.status == Version.Status.READY and line.newest.pk != line.model.live_id:
            waiting = _waiting(line)
            if waiting:
                yield Concern("", f"{name} is ready", waiting, href, "Look at it")


def _waiting(line: Line) -> str:
    """What a ready version waits for; nothing where people went back to an older one."""
    assert line.newest is not None
    if line.model.live is None:
        return "No version answers yet: promote this one."
    if line.newest.number > max([line.model.live.number, *line.model.before]):
        return f"Version {line.model.live.number} still answers."
    return ""


def _about_jobs(caller: Caller) -> Iterator[Concern]:
    off = (Job.Status.FAILED, Job.Status.PARTIAL)
    recent = jobs_for(caller).filter(status__in=off, created__gt=timezone.now() - RECENT)
    for job in recent[:JOBS]:
        href = reverse("job", args=[job.pk])
        if job.status == Job.Status.FAILED:
            reason = (job.error or {}).get("detail", "")
            yield Concern("bad", f"{job.filename} could not be scored", reason, href, "See the job")
        else:
            bad: int = job.rows_failed  # type: ignore[attr-defined]  # jobs_for annotates it
            text = f"{bad:,} of {job.rows_total or 0:,} rows have an error."
            yield Concern("warn", f"{job.filename} is partly scored", text, href, "See the rows")
