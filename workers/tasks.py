"""What a bell sets in motion. Thin: each task calls into the room that knows the work."""

import time
from uuid import UUID

from celery import shared_task

from models_hub import inspection
from portal import idempotency, turns, uploads
from portal.tenancy import scope
from portal.turns import Kind
from predictions import subscribers
from predictions.loading import load_all
from workers import letters, outgoing
from workers.heartbeat import beat
from workers.recurring import running
from workers.webhooks import outbox


@shared_task(name="workers.inspect")
def inspect() -> None:
    """Inspect uploads for a while, one organisation after the other; ring again if any wait.

    Not until none waits: Celery's time limit would end somebody's inspection in the middle.
    """
    from workers.certifying import certify  # not above: it imports polars, see `score`

    until = time.monotonic() + turns.SLICE_SECONDS
    passed: set[UUID] = set()
    while (organisation := turns.next_turn(Kind.INSPECT, passed)) is not None:
        with scope(organisation):
            version = inspection.claim()
            if version is None:
                turns.conclude(Kind.INSPECT, inspection.UNFINISHED)
        if version is None:
            passed.add(organisation)
        else:
            inspection.inspect(version, certify)
        if time.monotonic() > until:
            turns.ring(Kind.INSPECT)
            return


@shared_task(name="workers.score")
def score() -> None:
    """Score chunks for a while, each organisation in its turn; ring again if work is left."""
    from workers import batch  # not above: polars starts threads, which no fork would inherit

    batch.drain()


@shared_task(name="workers.recur")
def recur() -> None:
    """Start the recurring jobs whose hour has come."""
    running.run_due()


@shared_task(name="workers.deliver")
def deliver() -> None:
    """Call the webhooks that are due."""
    outgoing.send_due(outbox.Deliveries())


@shared_task(name="workers.mail")
def mail() -> None:
    """Send the mail that is due."""
    outgoing.send_due(letters.Letters())


@shared_task(name="workers.purge")
def purge() -> None:
    """Remove what was given up, for a while; ring again if work is left."""
    from workers import purging  # not above: it imports polars, see `score`

    purging.drain()


@shared_task(name="workers.load")
def load() -> None:
    """Bring the journals into the predictions database."""
    beat()
    load_all()


@shared_task(name="workers.sweep")
def sweep() -> None:
    """Ring for all that is due: bells get lost, leases run out, and hours come."""
    for kind in turns.waiting_kinds():
        turns.ring(kind)


@shared_task(name="workers.probe")
def probe() -> None:
    """Try the sandbox's walls, and tell the web processes."""
    inspection.check_sandbox(anew=True)


@shared_task(name="workers.tidy")
def tidy() -> None:
    """Forget what is past its time."""
    for organisation in turns.known_organisations():
        with scope(organisation):
            idempotency.forget_old()
            subscribers.forget_old()
            turns.announce(Kind.PURGE)  # what is past its time by the organisation's settings
            outgoing.forget_old(outbox.Deliveries(), letters.Letters())
    uploads.forget_old()
