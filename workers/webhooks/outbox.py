"""The outbox of webhooks: filled by whoever ends a job, emptied by a worker."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone

from portal import turns
from portal.access import record, system
from portal.tenancy import current
from portal.turns import Kind
from workers import letters
from workers.models import Delivery, Endpoint, Job
from workers.outgoing import Outcome
from workers.webhooks.calling import GONE, call
from workers.webhooks.signing import headers_of

MINUTE, HOUR = 60.0, 3600.0
KEPT_TRIES = 20
PATIENCE = timedelta(days=2)  # a delivery is given up after some three
TEST = "webhook.test"
OFF = "The webhook is switched off."


def put(job: Any) -> None:
    """A delivery for each endpoint that wants to know how the job ended. ``job``: counted, as
    doors give it. Call in the transaction that ends it."""
    event = f"job.{job.status}"
    for endpoint in Endpoint.objects.filter(disabled=None, events__contains=[event]):
        put_one(endpoint, event, _facts(job), job)


def put_one(endpoint: Endpoint, event: str, data: dict[str, Any], job: Job | None) -> Delivery:
    """One message, on its way."""
    body = orjson.dumps({"type": event, "timestamp": _shown(timezone.now()), "data": data})
    delivery = Delivery.objects.create(
        endpoint=endpoint, event=event, job=job, body=body.decode(), due=timezone.now()
    )
    turns.announce(Kind.DELIVER)
    return delivery


def _facts(job: Any) -> dict[str, Any]:
    """What is told of a job: how it ended, and not a cell of its rows."""
    return {
        "id": str(job.pk),
        "model": job.version.model.slug,
        "version": job.version.number,
        "status": job.status,
        "filename": job.filename,
        **{name: getattr(job, name) for name in ("rows_total", "rows_done", "rows_failed")},
        "created": _shown(job.created),
        "started_at": _shown(job.started_at),
        "finished_at": _shown(job.finished_at),
        "error": job.error,
    }


def _shown(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Deliveries:
    """The outbox as ``workers.outgoing`` empties it. Ten tries within some three days, at the
    distances that Standard Webhooks suggests."""

    kind = Kind.DELIVER
    model = Delivery
    waits = (
        5.0,
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        14 * HOUR,
        20 * HOUR,
        24 * HOUR,
    )

    def prepared(self, line: Delivery) -> Callable[[], Outcome]:
        endpoint = line.endpoint
        if endpoint.disabled is not None:
            return lambda: Outcome(OFF, final=True)
        headers = headers_of(line, timezone.now())
        named = frozenset(settings.ENV.webhook_hosts)
        return lambda: call(endpoint.url, line.body.encode(), headers, named)

    def noted(self, line: Delivery, outcome: Outcome) -> None:
        now = timezone.now()
        told = {
            "at": _shown(now),
            "status": outcome.status,
            "milliseconds": outcome.milliseconds,
            "error": outcome.error,
        }
        line.tries = [*line.tries, told][-KEPT_TRIES:]
        endpoint = Endpoint.objects.select_for_update(no_key=True).get(pk=line.endpoint_id)
        if endpoint.disabled is None:
            _judge(endpoint, line, outcome, now)


def _judge(endpoint: Endpoint, line: Delivery, outcome: Outcome, now: datetime) -> None:
    """Note whether the endpoint fails; one that did for long, or says it is gone, is disabled."""
    if not outcome.error:
        Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=None)
        return
    if endpoint.failing_since is None:
        endpoint.failing_since = now
        endpoint.save(update_fields=["failing_since"])
    for_long = now - endpoint.failing_since > PATIENCE and line.state == Delivery.State.DEAD
    if for_long or outcome.status == GONE:
        disable(endpoint, outcome.error)


def disable(endpoint: Endpoint, why: str) -> None:
    """Call it no more, and tell the owners. ``endpoint``: its row is locked."""
    switch_off(endpoint, why)
    record(system(current()), "webhook.disabled", endpoint, why=why)
    letters.tell_of_disabled(endpoint)


def switch_off(endpoint: Endpoint, why: str) -> None:
    """Note that it is off, and give up what is on its way. ``endpoint``: its row is locked."""
    endpoint.disabled, endpoint.why_disabled = timezone.now(), why
    endpoint.save(update_fields=["disabled", "why_disabled"])
    # One that a worker just notes an outcome of is passed over: its next try finds the same.
    waiting = Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.PENDING)
    found = list(waiting.select_for_update(skip_locked=True).values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=found).update(
        state=Delivery.State.DEAD, error=OFF, finished=endpoint.disabled
    )
