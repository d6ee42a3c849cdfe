"""``/api/v1``: jobs, their rows and results."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from berth.field import Scalar
from berth.signature import Signature
from models_hub.doors import get_model_for
from portal.access import Permission
from portal.api import ApiView, UploadView
from portal.errors import Invalid
from portal.idempotency import once
from portal.paging import page_of
from portal.tenancy import scope
from portal.uploads import required
from workers.actions import cancel_job, resume_job, submit_job
from workers.doors import get_job_for, jobs_for, rows_of_job
from workers.downloads import download
from workers.labels import label_text
from workers.models import Job, JobRow
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
    """``POST /models/{slug}/jobs``"""

    def admit(self, slug: str) -> None:
        """Nobody sends gigabytes to hear that there is no such model."""
        self.caller.require(Permission.JOBS)
        with scope(self.caller.organisation_id):
            get_model_for(self.caller, slug)

    def post(self, request: Request, slug: str) -> HttpResponse:
        file = required(request._request, "file")
        fields = request._request.POST
        key, version = fields.get("key", ""), _number(fields.get("version", ""))

        def submit() -> Response:
            job = submit_job(self.caller, slug, file, key=key, version=version)
            address = reverse("api-job", args=[job.pk])
            return Response(job_json(job), 202, headers={"Location": address})

        return once(request, self.caller, repr((slug, file.sha256, key, version)), submit)


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) < 2**31:
        raise Invalid.field("version", "wrong_type", "“version” is a version's number, such as 3.")
    return int(text)


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
        job = get_job_for(self.caller, job_id)
        labels = labels_of(job)
        rows = rows_of_job(job, key=request.query_params.get("key"))
        return Response(page_of(request, rows, lambda row: row_json(row, labels), order="row"))


class JobResultView(ApiView):
    """``GET /jobs/{id}/result?format=csv`` (or ``parquet``)"""

    def get(self, request: Request, job_id: UUID) -> StreamingHttpResponse:
        job = get_job_for(self.caller, job_id)
        return download(job, request.query_params.get("format", "csv"))


class CancelView(ApiView):
    """``POST /jobs/{id}/cancel``"""

    def post(self, request: Request, job_id: UUID) -> Response:
        return Response(job_json(cancel_job(self.caller, job_id)))


class ResumeView(ApiView):
    """``POST /jobs/{id}/resume``"""

    def post(self, request: Request, job_id: UUID) -> Response:
        return Response(job_json(resume_job(self.caller, job_id)))
