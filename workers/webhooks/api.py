"""``/api/v1``: webhooks and their deliveries."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import Permission
from portal.api import ApiView
from portal.errors import BadRequest, Invalid
from portal.idempotency import once
from portal.paging import page_of
from workers.models import Delivery, Endpoint
from workers.told_models import Event
from workers.webhooks import actions
from workers.webhooks.doors import deliveries_of, endpoints_for, get_endpoint_for


def endpoint_json(endpoint: Endpoint) -> dict[str, Any]:
    """The API's Webhook."""
    names = ("url", "events", "failing_since", "created", "created_by")
    return {
        "id": endpoint.pk,
        **{name: getattr(endpoint, name) for name in names},
        "enabled": endpoint.disabled is None,
        "why_disabled": endpoint.why_disabled or None,
    }


def with_secret(new: actions.NewSecret) -> dict[str, Any]:
    return {**endpoint_json(new.row), "secret": new.secret}


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """The API's Delivery. ``next_try`` is null once it was delivered or given up."""
    pending = delivery.state == Delivery.State.PENDING
    return {
        "id": delivery.pk,
        "event": delivery.event,
        "job": delivery.job_id,
        "status": delivery.state,
        "tries": delivery.tries,
        "next_try": delivery.due if pending else None,
        "error": delivery.error or None,
        "body": delivery.body,
        "created": delivery.created,
        "finished": delivery.finished,
    }


def _asked(request: Request) -> tuple[str, list[str]]:
    """The URL and the events of the body; all events where it names none. Raises Invalid."""
    body = request.data
    if not isinstance(body, dict):
        raise BadRequest("The body is a JSON object.")
    url, events = body.get("url"), body.get("events", Event.values)
    if not isinstance(url, str):
        raise Invalid.field("url", "required", "“url” is the address to call, as a text.")
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise Invalid.field("events", "wrong_type", "“events” is a list of texts.")
    return url, events


class WebhooksView(ApiView):
    """``GET`` and ``POST /webhooks``"""

    reads_body = True

    def admit(self) -> None:
        self.caller.require(Permission.MANAGE)

    def get(self, request: Request) -> Response:
        return Response(page_of(request, endpoints_for(self.caller), endpoint_json, order="-id"))

    def post(self, request: Request) -> HttpResponse:
        url, events = _asked(request)

        def create() -> Response:
            new = actions.create_endpoint(self.caller, url, events)
            address = reverse("api-webhook", args=[new.row.pk])
            return Response(with_secret(new), 201, headers={"Location": address})

        return once(request, self.caller, repr((url, events)), create)


class WebhookView(ApiView):
    """``GET``, ``PUT`` and ``DELETE /webhooks/{id}``"""

    reads_body = True

    def admit(self, endpoint_id: UUID) -> None:
        self.caller.require(Permission.MANAGE)

    def get(self, request: Request, endpoint_id: UUID) -> Response:
        return Response(endpoint_json(get_endpoint_for(self.caller, endpoint_id)))

    def put(self, request: Request, endpoint_id: UUID) -> Response:
        get_endpoint_for(self.caller, endpoint_id)
        changed = actions.change_endpoint(self.caller, endpoint_id, *_asked(request))
        return Response(endpoint_json(changed))

    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        actions.delete_endpoint(self.caller, endpoint_id)
        return Response(status=204)


class RotateView(ApiView):
    """``POST /webhooks/{id}/rotate``"""

    def post(self, request: Request, endpoint_id: UUID) -> Response:
        return Response(with_secret(actions.rotate_secret(self.caller, endpoint_id)))


class _DeedView(ApiView):
    verb: Callable[..., Endpoint]

    def post(self, request: Request, endpoint_id: UUID) -> Response:
        return Response(endpoint_json(type(self).verb(self.caller, endpoint_id)))


class EnableView(_DeedView):
    """``POST /webhooks/{id}/enable``"""

    verb = staticmethod(actions.enable_endpoint)


class DisableView(_DeedView):
    """``POST /webhooks/{id}/disable``"""

    verb = staticmethod(actions.disable_endpoint)


class TestView(ApiView):
    """``POST /webhooks/{id}/test``"""

    def post(self, request: Request, endpoint_id: UUID) -> Response:
        return Response(delivery_json(actions.send_test(self.caller, endpoint_id)), 202)


class DeliveriesView(ApiView):
    """``GET /webhooks/{id}/deliveries``"""

    def get(self, request: Request, endpoint_id: UUID) -> Response:
        rows = deliveries_of(get_endpoint_for(self.caller, endpoint_id))
        return Response(page_of(request, rows, delivery_json, order="-id"))


class ResendView(ApiView):
    """``POST /webhooks/{id}/deliveries/{delivery}/resend``"""

    def post(self, request: Request, endpoint_id: UUID, delivery_id: UUID) -> Response:
        delivery = actions.resend(self.caller, endpoint_id, delivery_id)
        return Response(delivery_json(delivery), 202)
