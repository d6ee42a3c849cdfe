"""``/api/v1``: erasing a key from every job."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import ApiView
from portal.errors import Invalid
from portal.idempotency import once
from portal.paging import page_of
from workers.erasures import digest_of, erasures_for, get_erasure_for, request_erasure
from workers.models import Erasure


def erasure_json(erasure: Erasure) -> dict[str, Any]:
    """The API's Erasure. The key itself is never shown."""
    return {
        "id": erasure.pk,
        "status": "pending" if erasure.finished is None else "done",
        "digest": erasure.digest,
        "jobs": erasure.jobs,
        "rows": erasure.rows,
        "jobs_left": len(erasure.jobs_left),
        "created": erasure.created,
        "created_by": erasure.created_by,
        "finished": erasure.finished,
    }


class ErasuresView(ApiView):
    """``GET /erasures``, ``POST /erasures``"""

    reads_body = True

    def get(self, request: Request) -> Response:
        return Response(page_of(request, erasures_for(self.caller), erasure_json, order="-id"))

    def post(self, request: Request) -> HttpResponse:
        key = request.data.get("key") if isinstance(request.data, dict) else None
        if not isinstance(key, str):
            raise Invalid.field("key", "wrong_type", "“key” is the text that the rows have as key.")

        def ask() -> Response:
            erasure = request_erasure(self.caller, key)
            address = reverse("api-erasure", args=[erasure.pk])
            return Response(erasure_json(erasure), 202, headers={"Location": address})

        return once(request, self.caller, digest_of(key), ask)


class ErasureView(ApiView):
    """``GET /erasures/{id}``"""

    def get(self, request: Request, erasure_id: UUID) -> Response:
        return Response(erasure_json(get_erasure_for(self.caller, erasure_id)))
