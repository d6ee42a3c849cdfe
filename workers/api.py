"""``/api/v1``: jobs, their rows and results."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from berth.field import Scalar
from berth.signature import Signature
from models_hub import incoming
from models_hub.doors import get_model_for
from models_hub.incoming import Incoming
from portal.access import Permission
from portal.api import ApiView, UploadView
from portal.errors import Invalid
from portal.idempotency import once
from portal.paging import page_of
from portal.rest import JSONParser
from portal.tenancy import scope
from portal.uploads import Received, required
from workers.actions import cancel_job, resume_job, retry_job, submit_job
from workers.doors import get_job_for, get_uncounted_job_for, jobs_for, rows_of_job
from workers.downloads import download, error_rows
from workers.labels import label_text
from workers.models import Job, JobRow
from workers.orders import read_order
from workers.removal import delete_job


def job_json(job: Any) -> dict[str, Any]:
    """The API's Job. ``rows_done`` are the rows done with, ``rows_failed`` those among them that
    could not be scored, ``rows_erased`` those that were erased since; ``rows_total`` is null until
    the file was read."""
    rows = ("rows_total", "rows_done", "rows_failed", "rows_erased")
    progress = (*rows, "started_at", "finished_at", "error")
    about = ("filename", "size", "created", "created_by")
    return {
        "id": job.pk,
        "model": job.version.model.slug,
        "version": job.version.number,
        "status": job.status,
        **{name: getattr(job, name) for name in progress},
        "key": job.key_column or None,
        "columns": job.mapping,
        "reading": {name: value for name, value in job.reading.items() if value},
        "source": job.source or None,
        "retry_of": job.retry_of,
        **{name: getattr(job, name) for name in about},
    }


def row_json(row: JobRow, labels: dict[str, Scalar] | None) -> dict[str, Any]:
    """The API's JobRow; ``labels`` by their stored text for a classification."""
    if labels is None:
        return {"row": row.row, "key": row.key, "prediction": row.value, "error": row.error}
    return {
        "row": row.row,
        "key": row.key,
        "prediction": None if row.label is None else labels.get(row.label, row.label),
        "probability": row.probability,
        "error": row.error,
    }


def labels_of(job: Job) -> dict[str, Scalar] | None:
    """A classification's labels by their stored text; None for a regression."""
    output = Signature.from_json(job.version.signature).output
    if output.kind == "regression":
        return None
    return {label_text(label): label for label in output.labels or ()}


class ModelJobsView(UploadView):
    """``POST /models/{slug}/jobs``, with ``?dry_run=true`` only tried. A file is sent as a form's
    part; one in the organisation's own folder is named in JSON, as ``source``."""

    parser_classes = [MultiPartParser, JSONParser]

    def admit(self, slug: str) -> None:
        """Nobody sends gigabytes to hear that there is no such model."""
        self.caller.require(Permission.JOBS)
        with scope(self.caller.organisation_id):
            get_model_for(self.caller, slug)

    def post(self, request: Request, slug: str) -> HttpResponse:
        file, fields = _sent(request)
        order = read_order(fields)
        if request.query_params.get("dry_run", "").casefold() in ("true", "1"):
            from workers import trial  # for the reason in workers.downloads

            return Response(trial.dry_run(self.caller, slug, file, order).to_json())

        def submit() -> Response:
            job = submit_job(self.caller, slug, file, order=order)
            return _queued(job)

        what = file.sha256 if isinstance(file, Received) else file
        return once(request, self.caller, repr((slug, what, order)), submit)


def _sent(request: Request) -> tuple[Received | Incoming, Mapping[str, Any]]:
    """The file, and what is said of it."""
    if request.content_type.startswith("multipart/"):
        return required(request._request, "file"), request._request.POST
    fields = request.data
    if not isinstance(fields, dict):
        raise Invalid("The body is a JSON object.")
    source = fields.get("source")
    if not isinstance(source, str):
        raise Invalid.field("source", "required", "Name the file in your folder as “source”.")
    return incoming.find(source), fields


def _queued(job: Job) -> Response:
    address = reverse("api-job", args=[job.pk])
    return Response(job_json(job), 202, headers={"Location": address})


class IncomingView(ApiView):
    """``GET /incoming``: the files in the organisation's own folder."""

    def get(self, request: Request) -> Response:
        self.caller.require(Permission.JOBS)
        return Response(
            {
                "folder": incoming.folder(),
                "items": [
                    {"source": file.source, "size": file.size, "modified": file.modified}
                    for file in incoming.listed()
                ],
                "next": None,
            }
        )


class RetryView(ApiView):
    """``POST /jobs/{id}/retry``, with ``?version=`` by another version"""

    def post(self, request: Request, job_id: UUID) -> HttpResponse:
        version = read_order({"version": request.query_params.get("version")}).version

        def retry() -> Response:
            return _queued(retry_job(self.caller, job_id, version=version))

        return once(request, self.caller, repr((job_id, version)), retry)


class JobErrorsView(ApiView):
    """``GET /jobs/{id}/errors``: the rows that could not be scored, as CSV"""

    def get(self, request: Request, job_id: UUID) -> StreamingHttpResponse:
        return error_rows(get_job_for(self.caller, job_id))


class JobsView(ApiView):
    """``GET /jobs``"""

    def get(self, request: Request) -> Response:
        return Response(page_of(request, jobs_for(self.caller), job_json, order="-id"))


class JobView(ApiView):
    """``GET /jobs/{id}``, ``DELETE /jobs/{id}``"""

    def get(self, request: Request, job_id: UUID) -> Response:
        return Response(job_json(get_job_for(self.caller, job_id)))

    def delete(self, request: Request, job_id: UUID) -> Response:
        delete_job(self.caller, job_id)
        return Response(status=204)


class JobRowsView(ApiView):
    """``GET /jobs/{id}/rows``, with ``?key=`` those of one key"""

    def get(self, request: Request, job_id: UUID) -> Response:
        job = get_uncounted_job_for(self.caller, job_id)
        labels = labels_of(job)
        rows = rows_of_job(job, key=request.query_params.get("key"))
        return Response(page_of(request, rows, lambda row: row_json(row, labels), order="row"))


class JobResultView(ApiView):
    """``GET /jobs/{id}/result?format=csv`` (or ``parquet``)"""

    def get(self, request: Request, job_id: UUID) -> StreamingHttpResponse:
        job = get_uncounted_job_for(self.caller, job_id)
        return download(job, request.query_params.get("format", "csv"))


class CancelView(ApiView):
    """``POST /jobs/{id}/cancel``"""

    def post(self, request: Request, job_id: UUID) -> Response:
        return Response(job_json(cancel_job(self.caller, job_id)))


class ResumeView(ApiView):
    """``POST /jobs/{id}/resume``"""

    def post(self, request: Request, job_id: UUID) -> Response:
        return Response(job_json(resume_job(self.caller, job_id)))
