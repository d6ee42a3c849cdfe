"""What can be done with webhooks. Each verb: permission, transaction, audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from portal import turns
from portal.access import Caller, record
from portal.errors import Conflict, Invalid, NotFound
from portal.tenancy import current
from workers.models import Delivery, Endpoint
from workers.told_models import Event
from workers.webhooks import outbox
from workers.webhooks.doors import deliveries_of, endpoints_for, get_endpoint_for
from workers.webhooks.guard import Forbidden, check_url
from workers.webhooks.signing import secret_of

MOST_EACH = 20


@dataclass(frozen=True, slots=True)
class NewSecret:
    """An endpoint whose secret is new: it is shown this once."""

    row: Endpoint
    secret: str


def create_endpoint(caller: Caller, url: str, events: Sequence[str]) -> NewSecret:
    """Call the URL from now on when one of the events happens.

    Raises Invalid for a URL that Berth does not call and for no or unknown events, Conflict
    beyond MOST_EACH of one organisation.
    """
    rows = endpoints_for(caller)
    endpoint = Endpoint(organisation_id=current(), created_by=caller.actor)
    endpoint.url, endpoint.events = _url(url), _events(events)
    with transaction.atomic():
        if rows.count() >= MOST_EACH:
            detail = f"An organisation has at most {MOST_EACH} webhooks: delete one."
            raise Conflict(detail, code="too_many")
        endpoint.save(force_insert=True)
        record(caller, "webhook.created", endpoint, events=endpoint.events)
    return NewSecret(endpoint, secret_of(endpoint))


def change_endpoint(caller: Caller, endpoint_id: UUID, url: str, events: Sequence[str]) -> Endpoint:
    """Another URL or other events, also for what is still on its way. Raises Invalid."""
    with transaction.atomic():
        endpoint = get_endpoint_for(caller, endpoint_id, lock=True)
        before = endpoint.url
        endpoint.url, endpoint.events = _url(url), _events(events)
        endpoint.save(update_fields=["url", "events"])
        record(caller, "webhook.changed", endpoint, before=before, events=endpoint.events)
    return endpoint


def _url(url: str) -> str:
    url = url.strip()
    try:
        check_url(url, settings.ENV.webhook_hosts)
    except Forbidden as error:
        raise Invalid.field("url", "bad_url", str(error)) from error
    return url


def _events(events: Sequence[str]) -> list[str]:
    wanted = [event.value for event in Event if event.value in events]
    if not wanted or len(wanted) != len(set(events)):
        known = ", ".join(Event.values)
        raise Invalid.field("events", "bad_events", f"Choose at least one of {known}.")
    return wanted


def rotate_secret(caller: Caller, endpoint_id: UUID) -> NewSecret:
    """A new secret; for a day messages are signed with the one before as well."""
    with transaction.atomic():
        endpoint = get_endpoint_for(caller, endpoint_id, lock=True)
        endpoint.serial, endpoint.rotated = endpoint.serial + 1, timezone.now()
        endpoint.save(update_fields=["serial", "rotated"])
        record(caller, "webhook.secret_rotated", endpoint)
    return NewSecret(endpoint, secret_of(endpoint))


def disable_endpoint(caller: Caller, endpoint_id: UUID) -> Endpoint:
    """Call it no more; what is on its way is given up. Twice is once."""
    with transaction.atomic():
        endpoint = get_endpoint_for(caller, endpoint_id, lock=True)
        if endpoint.disabled is None:
            outbox.switch_off(endpoint, f"Switched off by {caller.actor}.")
            record(caller, "webhook.disabled", endpoint)
    return endpoint


def enable_endpoint(caller: Caller, endpoint_id: UUID) -> Endpoint:
    """Call it again from now on. What it missed is sent only where somebody asks for it."""
    with transaction.atomic():
        endpoint = get_endpoint_for(caller, endpoint_id, lock=True)
        if endpoint.disabled is not None:
            endpoint.disabled, endpoint.why_disabled, endpoint.failing_since = None, "", None
            endpoint.save(update_fields=["disabled", "why_disabled", "failing_since"])
            record(caller, "webhook.enabled", endpoint)
    return endpoint


def delete_endpoint(caller: Caller, endpoint_id: UUID) -> None:
    """It and its deliveries go."""
    with transaction.atomic():
        endpoint = get_endpoint_for(caller, endpoint_id, lock=True)
        record(caller, "webhook.deleted", endpoint)
        endpoint.delete()


def send_test(caller: Caller, endpoint_id: UUID) -> Delivery:
    """A message of the type ``webhook.test``. Raises Conflict where it is switched off."""
    with transaction.atomic():
        endpoint = get_endpoint_for(caller, endpoint_id, lock=True)
        _require_enabled(endpoint)
        record(caller, "webhook.tested", endpoint)
        return outbox.put_one(endpoint, outbox.TEST, {"sent_by": caller.actor}, None)


def resend(caller: Caller, endpoint_id: UUID, delivery_id: UUID) -> Delivery:
    """Send a message again, under the same id. Raises Conflict while it is still on its way and
    where the webhook is switched off."""
    with transaction.atomic():
        endpoint = get_endpoint_for(caller, endpoint_id, lock=True)
        _require_enabled(endpoint)
        rows = deliveries_of(endpoint).filter(pk=delivery_id)
        if not rows.exists():
            raise NotFound("delivery")
        # One that is locked is just being noted, by a worker who waits for the webhook's row.
        ended = rows.exclude(state=Delivery.State.PENDING)
        delivery = ended.select_for_update(skip_locked=True).first()
        if delivery is None:
            raise Conflict("It is on its way already.", code="delivery_pending")
        delivery.state, delivery.spent = Delivery.State.PENDING, delivery.attempt
        delivery.due, delivery.finished = timezone.now(), None
        delivery.save(update_fields=["state", "spent", "due", "finished"])
        record(caller, "webhook.resent", endpoint, delivery=str(delivery.pk))
        turns.announce(turns.Kind.DELIVER)
    return delivery


def _require_enabled(endpoint: Endpoint) -> None:
    if endpoint.disabled is not None:
        raise Conflict("The webhook is switched off: switch it on first.", code="webhook_off")
