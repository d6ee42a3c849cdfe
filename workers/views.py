"""The pages of jobs: all of them, and one as it goes on. A new one: ``intake_views``."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render

from models_hub.doors import get_model_for
from models_hub.models import HostedModel
from portal.errors import Invalid
from portal.pages import PageRequest, deed, page
from workers.actions import OPEN, STOPPED, cancel_job, resume_job, retry_job
from workers.doors import get_job_for, jobs_for, rows_of_job
from workers.downloads import download, error_rows
from workers.keeping import has_what_is_left
from workers.models import Job
from workers.options import Options
from workers.pace import Pace
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
        "retried": _retried(job),
        "read_as": Options.from_json(job.reading).in_words,
        "renamed": [pair for pair in job.mapping.items() if pair[0] != pair[1]],
        "errors": rows_of_job(job).filter(error__isnull=False)[:ERROR_ROWS],
    }
    if job.status not in OPEN:
        context["preview"] = Preview.of(job)
    return render(request, template, context)


def _retried(job: Job) -> dict[str, Any]:
    """The job that this one is a retry of, and those that are retries of it."""
    found = Job.objects.filter(pk__in=[job.retry_of] if job.retry_of else [])
    return {"parent": found.first(), "children": Job.objects.filter(retry_of=job.pk)[:10]}


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


@deed
def retry(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Try the rows that failed again, as a job of their own."""
    made = retry_job(request.caller, job_id)
    messages.success(request, "A new job tries just the rows that failed.")
    return redirect("job", made.pk)


@page
def errors(request: PageRequest, job_id: UUID) -> HttpResponseBase:
    """The rows that failed as a download."""
    return error_rows(get_job_for(request.caller, job_id))


@page
def result(request: PageRequest, job_id: UUID) -> HttpResponseBase:
    """The result as a download."""
    return download(get_job_for(request.caller, job_id), request.GET.get("format", "csv"))
