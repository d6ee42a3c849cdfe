"""The page of a new job: the form, the look at the file before, and what comes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from models_hub import incoming
from models_hub.incoming import Incoming
from portal.access import Permission
from portal.error_pages import problem_json
from portal.errors import BerthError, Invalid
from portal.pages import PageRequest, page, refuse
from portal.uploads import Received, received, required
from workers.actions import submit_job
from workers.doors import get_job_for
from workers.forms import JobForm, source_choices, version_choices
from workers.orders import Order, read_order

_COLUMN = "column:"


@page
def job_new(request: PageRequest) -> HttpResponse:
    """The form; what a file would come to, if that is asked; or a job at work."""
    request.caller.require(Permission.JOBS)
    if request.method != "POST":
        return _form(request, _fresh_form(request))
    try:
        slug, file, order = _asked(request)
        if "check" in request.POST:
            return _checked(request, slug, file, order)
        job = submit_job(request.caller, slug, file, order=order)
    except BerthError as error:
        return _refused(request, error)
    place = reverse("job", args=[job.pk])
    if _wants_json(request):
        return JsonResponse({"location": place}, status=201)
    return redirect(place)


def _fresh_form(request: PageRequest) -> JobForm:
    """What is known already is filled in: the model that ``?model=`` names, or that of the job
    whose failed rows are sent again (``?retry_of=``), else the first one."""
    choices = version_choices(request.caller)
    values = [value for _, lines in choices for value, _ in lines]
    slug = request.GET.get("model", "")
    initial: dict[str, Any] = {
        "version": next((value for value in values if value.split()[0] == slug), None)
    }
    if again := request.GET.get("retry_of"):
        retry_of = read_order({"retry_of": again}).retry_of
        assert retry_of is not None
        job = get_job_for(request.caller, retry_of)
        version = f"{job.version.model.slug} {job.version.number}"
        initial = {"version": version, "key": job.key_column, "retry_of": job.pk}
    return JobForm(choices, source_choices(), initial=initial)


def _asked(request: PageRequest) -> tuple[str, Received | Incoming, Order]:
    """The model's slug, the file and what is said of it. Raises Invalid."""
    file: Received | Incoming | None = received(request, "file")
    if file is None:
        source = request.POST.get("source")
        file = incoming.find(source) if source else required(request, "file")
    slug, _, number = request.POST.get("version", "").partition(" ")
    if not number.isascii() or not number.isdigit():
        raise Invalid.field("version", "required", "Choose a version.")
    named = {
        name.removeprefix(_COLUMN): column
        for name, column in request.POST.items()
        if name.startswith(_COLUMN) and isinstance(column, str) and column
    }
    fields = {**request.POST.dict(), "version": number[:9], "columns": named}
    return slug, file, read_order(fields)


def _checked(
    request: PageRequest, slug: str, file: Received | Incoming, order: Order
) -> HttpResponse:
    from workers import trial  # for the reason in workers.downloads

    found = trial.dry_run(request.caller, slug, file, order, is_part="part" in request.POST)
    context: dict[str, Any] = {
        "trial": found,
        "lines": list(_lines(found)),
        "filename": file.filename,
    }
    return _form(request, _bound(request), **context)


@dataclass(frozen=True, slots=True)
class Line:
    """An input of the model, and the file's column for it. ``is_guess``: it was not found, and
    this one comes near."""

    name: str
    column: str
    is_guess: bool
    holds: str
    columns: list[str]


def _lines(found: Any) -> Iterator[Line]:
    """``found``: a Trial."""
    columns = found.names
    kinds = {about["name"]: about for about in found.columns}
    for name in [*found.matching.columns, *found.matching.missing]:
        is_guess = name not in found.matching.columns
        column = (found.matching.suggestions if is_guess else found.matching.columns).get(name, "")
        about = kinds.get(column, {})
        example = f"{about['kind']}, such as {about['example']}" if about.get("example") else ""
        yield Line(name, column, is_guess, example, columns)


def _wants_json(request: PageRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _bound(request: PageRequest) -> JobForm:
    form = JobForm(version_choices(request.caller), source_choices(), request.POST, request.FILES)
    form.errors.clear()
    return form


def _refused(request: PageRequest, error: BerthError) -> HttpResponse:
    if _wants_json(request):
        return problem_json(request, error)
    form = _bound(request)
    refuse(form, error, instead="file")
    return _form(request, form, error.status)


def _form(request: PageRequest, form: JobForm, status: int = 200, **more: Any) -> HttpResponse:
    most = settings.MAX_JOB_BYTES
    note = f".csv, .parquet or .jsonl, also as .gz; at most {filesizeformat(most)}."
    context = {"nav": "jobs", "form": form, "most": most, "file_note": note, **more}
    return render(request, "workers/new_job.html", context, status=status)
