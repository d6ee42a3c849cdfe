"""The pages of jobs: all of them, a new one, and one as it goes on."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from models_hub.doors import get_model_for
from models_hub.models import HostedModel
from portal.access import Permission
from portal.error_pages import problem_json
from portal.errors import BerthError, Invalid
from portal.pages import PageRequest, deed, page, refuse
from portal.uploads import required
from workers.actions import OPEN, STOPPED, cancel_job, resume_job, submit_job
from workers.doors import get_job_for, jobs_for, rows_of_job, rows_read
from workers.downloads import download
from workers.forms import JobForm, version_choices
from workers.keeping import has_what_is_left
from workers.models import Job
from workers.removal import delete_job

PAGE = 30
PREVIEW_ROWS, PREVIEW_COLUMNS, ERROR_ROWS = 20, 30, 10
CHIPS = {
    Job.Status.QUEUED: "",
    Job.Status.RUNNING: "busy",
    Job.Status.SUCCEEDED: "good",
    Job.Status.PARTIAL: "warn",
    Job.Status.FAILED: "bad",
    Job.Status.CANCELLED: "",
}


@page
def jobs(request: PageRequest) -> HttpResponse:
    """The organisation's jobs, newest first, a page at a time; ``?model=`` those of one model."""
    rows = jobs_for(request.caller)
    model = _model(request)
    if model is not None:
        rows = rows.filter(version__model=model)
    shown, older = _window(rows, request.GET.get("before", ""))
    context = {
        "nav": "jobs",
        "jobs": [(job, CHIPS[Job.Status(job.status)]) for job in shown],
        "older": older,
        "model": model,
    }
    return render(request, "workers/jobs.html", context)


def _model(request: PageRequest) -> HostedModel | None:
    slug = request.GET.get("model")
    return get_model_for(request.caller, slug) if slug else None


def _window(rows: QuerySet[Job], before: str) -> tuple[list[Job], str]:
    """A page of jobs, and the id after which the older ones come ("" where there are none)."""
    try:
        rows = rows.filter(pk__lt=UUID(before)) if before else rows
    except ValueError as error:
        raise Invalid.field("before", "bad_cursor", "“before” is a job's id.") from error
    found = list(rows[: PAGE + 1])
    return found[:PAGE], str(found[PAGE - 1].pk) if len(found) > PAGE else ""


@page
def job_new(request: PageRequest) -> HttpResponse:
    """The form, and what comes of it: a job at work."""
    request.caller.require(Permission.JOBS)
    if request.method != "POST":
        return _form(request, _fresh_form(request))
    try:
        job = _take(request)
    except BerthError as error:
        return _refused(request, error)
    place = reverse("job", args=[job.pk])
    if _wants_json(request):
        return JsonResponse({"location": place}, status=201)
    return redirect(place)


def _fresh_form(request: PageRequest) -> JobForm:
    """The live version of the model that ``?model=`` names is chosen, else the first one."""
    choices = version_choices(request.caller)
    values = [value for _, lines in choices for value, _ in lines]
    slug = request.GET.get("model", "")
    chosen = next((value for value in values if value.split()[0] == slug), None)
    return JobForm(choices, initial={"version": chosen})


def _take(request: PageRequest) -> Job:
    file = required(request, "file")
    slug, _, number = request.POST.get("version", "").partition(" ")
    if not number.isascii() or not number.isdigit():
        raise Invalid.field("version", "required", "Choose a version.")
    key = request.POST.get("key", "").strip()
    return submit_job(request.caller, slug, file, key=key, version=int(number[:9]))


def _wants_json(request: PageRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _refused(request: PageRequest, error: BerthError) -> HttpResponse:
    if _wants_json(request):
        return problem_json(request, error)
    form = JobForm(version_choices(request.caller), request.POST, request.FILES)
    form.errors.clear()
    refuse(form, error, instead="file")
    return _form(request, form, error.status)


def _form(request: PageRequest, form: JobForm, status: int = 200) -> HttpResponse:
    most = settings.MAX_JOB_BYTES
    note = f".csv, .parquet or .jsonl, also as .gz; at most {filesizeformat(most)}."
    context = {"nav": "jobs", "form": form, "most": most, "file_note": note}
    return render(request, "workers/new_job.html", context, status=status)


@page
def job(request: PageRequest, job_id: UUID) -> HttpResponse:
    """A job: how far it is, and when it has ended what came of it."""
    return _job_page(request, "workers/job.html", job_id)


@page
def progress(request: PageRequest, job_id: UUID) -> HttpResponse:
    """The part of the job's page that changes; it asks for itself until the job has ended."""
    return _job_page(request, "workers/_progress.html", job_id, fragment=True)


def _job_page(
    request: PageRequest, template: str, job_id: UUID, *, fragment: bool = False
) -> HttpResponse:
    job = get_job_for(request.caller, job_id)
    context: dict[str, Any] = {
        "nav": "jobs",
        "job": job,
        "fragment": fragment,
        "chip": CHIPS[Job.Status(job.status)],
        "at_work": job.status in OPEN,
        "can_resume": job.status in STOPPED and has_what_is_left(job),
        "pace": Pace.of(job),
        "errors": rows_of_job(job).filter(error__isnull=False)[:ERROR_ROWS],
    }
    if job.status not in OPEN:
        context["preview"] = Preview.of(job)
    return render(request, template, context)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a job goes. ``rows`` per second; ``left`` in seconds, None while unknown."""

    read: int
    rows: float
    left: int | None

    @classmethod
    def of(cls, job: Any) -> "Pace":
        """``job``: counted, as doors give it."""
        if job.started_at is None:
            return cls(0, 0.0, None)
        seconds = ((job.finished_at or timezone.now()) - job.started_at).total_seconds()
        rows = job.rows_done / max(seconds, 0.001)
        known = job.rows_total is not None and rows > 0
        left = int((job.rows_total - job.rows_done) / rows + 0.999) if known else None
        return cls(job.rows_total or rows_read(job), rows, left)


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a result; ``hidden`` is how many columns are left out."""

    columns: list[tuple[str, bool]]
    """Names, and whether the column holds numbers."""
    rows: list[list[tuple[str, bool]]]
    hidden: int

    @classmethod
    def of(cls, job: Job) -> "Preview":
        from workers import results  # for the reason in workers.downloads

        frame = results.preview(results.result_of(job, "csv"), PREVIEW_ROWS)
        hidden = max(0, frame.width - PREVIEW_COLUMNS)
        if hidden:  # ours stand last, and are what one wants to see
            kept = [*frame.columns[: PREVIEW_COLUMNS - 3], *frame.columns[-3:]]
            frame = frame.select(kept)
        numbers = [kind.is_numeric() for kind in frame.dtypes]
        rows = [
            [(_shown(cell), number) for cell, number in zip(row, numbers, strict=True)]
            for row in frame.rows()
        ]
        return cls(list(zip(frame.columns, numbers, strict=True)), rows, hidden)


def _shown(cell: Any) -> str:
    """A cell for the eye: seven digits of a number are enough; the files have all."""
    if cell is None:
        return ""
    return f"{cell:,.7g}" if isinstance(cell, float) else str(cell)


@deed
def cancel(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Stop the job."""
    cancel_job(request.caller, job_id)
    messages.success(request, "The job is cancelled. What was scored is kept.")
    return redirect("job", job_id)


@deed
def resume(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Go on with the job."""
    resume_job(request.caller, job_id)
    messages.success(request, "The job goes on from where it stopped.")
    return redirect("job", job_id)


@deed
def delete(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Delete the job and all that came of it."""
    delete_job(request.caller, job_id)
    messages.success(request, "The job is deleted.")
    return redirect("jobs")


@page
def result(request: PageRequest, job_id: UUID) -> HttpResponseBase:
    """The result as a download."""
    return download(get_job_for(request.caller, job_id), request.GET.get("format", "csv"))
