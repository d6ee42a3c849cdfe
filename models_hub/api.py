"""``/api/v1``: models and their versions."""

from typing import Any

import orjson
from django.http import HttpResponse
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from models_hub.actions import (
    correct_signature,
    create_model,
    promote,
    roll_back,
    upload_version,
    withdraw,
)
from models_hub.doors import get_model_for, get_version_for, models_for
from models_hub.models import HostedModel, Version
from models_hub.quarantine import delete_refused
from portal.access import Permission
from portal.api import ApiView, UploadView
from portal.errors import Invalid
from portal.idempotency import once
from portal.paging import page_of
from portal.tenancy import scope
from portal.uploads import received, required

MOST_METRICS = 100_000


def model_json(model: HostedModel) -> dict[str, Any]:
    """The API's Model."""
    return {
        "slug": model.slug,
        "name": model.name,
        "description": model.description,
        "live_version": model.live.number if model.live else None,
        "created": model.created,
        "created_by": model.created_by,
    }


def version_json(version: Version) -> dict[str, Any]:
    """The API's Version."""
    names = ("number", "status", "format", "sha256", "size", "signature", "report", "refusal")
    more = ("filename", "target", "notes", "metrics", "derived_from", "created", "created_by")
    return {
        "model": version.model.slug,
        **{name: getattr(version, name) for name in names + more},
        "bundle_sha256": version.bundle_sha256 or None,
        "file_deleted": version.file_deleted,
    }


class ModelsView(ApiView):
    """``GET`` and ``POST /models``"""

    reads_body = True

    def get(self, request: Request) -> Response:
        return Response(page_of(request, models_for(self.caller), model_json, order="slug"))

    def post(self, request: Request) -> HttpResponse:
        body = request.data if isinstance(request.data, dict) else {}
        slug, name = _text(body, "slug"), _text(body, "name")
        description = _text(body, "description", "")

        def create() -> Response:
            model = create_model(self.caller, slug, name, description)
            return Response(
                model_json(model), 201, headers={"Location": reverse("api-model", args=[slug])}
            )

        return once(request, self.caller, repr((slug, name, description)), create)


def _text(body: dict[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise Invalid.field(name, "required", f"“{name}” must be given as text.")
    return value


class ModelView(ApiView):
    """``GET /models/{slug}``"""

    def get(self, request: Request, slug: str) -> Response:
        return Response(model_json(get_model_for(self.caller, slug)))


class VersionsView(UploadView):
    """``GET`` and ``POST /models/{slug}/versions``"""

    def get(self, request: Request, slug: str) -> Response:
        versions = get_model_for(self.caller, slug).versions.select_related("model", "removal")
        return Response(page_of(request, versions, version_json, order="-number"))

    def admit(self, slug: str) -> None:
        """Nobody sends half a gigabyte to hear that there is no such model."""
        self.caller.require(Permission.PUBLISH)
        with scope(self.caller.organisation_id):
            get_model_for(self.caller, slug)

    def post(self, request: Request, slug: str) -> HttpResponse:
        artifact = required(request, "artifact")
        sample = received(request, "sample")
        form = request._request.POST  # fields only; ``request.data`` would mix in files
        target, notes = form.get("target", ""), form.get("notes", "")
        metrics = _metrics(_field_or_file(request, "metrics"))

        def upload() -> Response:
            version = upload_version(
                self.caller, slug, artifact, sample, target=target, notes=notes, metrics=metrics
            )
            address = reverse("api-version", args=[slug, version.number])
            return Response(version_json(version), 202, headers={"Location": address})

        content = repr((artifact.sha256, sample and sample.sha256, target, notes, metrics))
        return once(request, self.caller, content, upload)


def _field_or_file(request: Request, name: str) -> str:
    """A text that may come as a field or, as ``curl -F metrics=@metrics.json`` sends it, a file."""
    file = request.FILES.get(name)
    if file is None:
        return str(request._request.POST.get(name, ""))
    return str(file.read(MOST_METRICS + 1).decode(errors="replace"))


def _metrics(text: str) -> dict[str, Any]:
    if not text:
        return {}
    if len(text) > MOST_METRICS:
        detail = f"“metrics” has at most {MOST_METRICS:,} characters."
        raise Invalid.field("metrics", "too_long", detail)
    try:
        metrics = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid.field("metrics", "bad_json", f"“metrics” is not JSON: {error}.") from error
    if not isinstance(metrics, dict):
        raise Invalid.field("metrics", "wrong_type", "“metrics” must be a JSON object.")
    if "\\u0000" in text:  # PostgreSQL's jsonb has no such text
        raise Invalid.field("metrics", "bad_text", "“metrics” must hold no NUL character.")
    return metrics


class VersionView(ApiView):
    """``GET`` and ``DELETE /models/{slug}/versions/{n}``"""

    def get(self, request: Request, slug: str, number: int) -> Response:
        return Response(version_json(get_version_for(self.caller, slug, number)))

    def delete(self, request: Request, slug: str, number: int) -> Response:
        return Response(version_json(delete_refused(self.caller, slug, number)))


class SignatureView(ApiView):
    """``POST /models/{slug}/versions/{n}/signature``: corrections, sealed as a new version."""

    reads_body = True

    def post(self, request: Request, slug: str, number: int) -> HttpResponse:
        body = request.data if isinstance(request.data, dict) else {}
        changes = body.get("inputs")
        if not isinstance(changes, list) or not all(isinstance(c, dict) for c in changes):
            raise Invalid.field("inputs", "wrong_type", "“inputs” must be a list of objects.")

        def correct() -> Response:
            version = correct_signature(self.caller, slug, number, changes)
            address = reverse("api-version", args=[slug, version.number])
            return Response(version_json(version), 201, headers={"Location": address})

        return once(request, self.caller, repr(changes), correct)


class PromoteView(ApiView):
    """``POST /models/{slug}/versions/{n}/promote``"""

    def post(self, request: Request, slug: str, number: int) -> Response:
        return Response(model_json(promote(self.caller, slug, number)))


class RollbackView(ApiView):
    """``POST /models/{slug}/rollback``"""

    def post(self, request: Request, slug: str) -> HttpResponse:
        def go_back() -> Response:
            return Response(model_json(roll_back(self.caller, slug)))

        return once(request, self.caller, "", go_back)


class WithdrawView(ApiView):
    """``POST /models/{slug}/withdraw``"""

    def post(self, request: Request, slug: str) -> HttpResponse:
        def take_back() -> Response:
            return Response(model_json(withdraw(self.caller, slug)))

        return once(request, self.caller, "", take_back)
