"""The doors to webhooks: 404 for missing and for forbidden."""

from uuid import UUID

from django.db.models import QuerySet

from portal.access import Caller, Permission
from portal.errors import NotFound
from workers.models import Delivery, Endpoint


def endpoints_for(caller: Caller) -> QuerySet[Endpoint]:
    """The organisation's webhooks, newest first."""
    caller.require(Permission.MANAGE)
    return Endpoint.objects.all()


def get_endpoint_for(caller: Caller, endpoint_id: UUID, *, lock: bool = False) -> Endpoint:
    """The webhook with this id. ``lock`` holds its row until the transaction ends."""
    rows = endpoints_for(caller)
    endpoint = (
        (rows.select_for_update(no_key=True) if lock else rows).filter(pk=endpoint_id).first()
    )
    if endpoint is None:
        raise NotFound("webhook")
    return endpoint


def deliveries_of(endpoint: Endpoint) -> QuerySet[Delivery]:
    """What it was sent or is to be sent, newest first."""
    return Delivery.objects.filter(endpoint=endpoint)
