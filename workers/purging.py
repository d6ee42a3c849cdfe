"""What was given up is removed, and what is past its time given up: each organisation in its turn.

The database is the queue here too (see portal.turns): every step is a transaction of its own that
may be killed and done again.
"""

import time
from uuid import UUID

import structlog

from portal import turns
from portal.errors import Unavailable
from portal.tenancy import scope
from portal.turns import Kind
from workers import erasing, keeping, retention, shelves
from workers.models import Leftover

log = structlog.get_logger()
SLICE_SECONDS = 10.0
UNFINISHED = (
    "SELECT 1 FROM workers_leftover"
    " UNION ALL SELECT 1 FROM workers_shelf WHERE job_id IS NULL"
    " UNION ALL SELECT 1 FROM workers_erasure WHERE finished IS NULL"
)


def drain(seconds: float = SLICE_SECONDS) -> None:
    """Work for about ``seconds``; ring again if work is left."""
    until = time.monotonic() + seconds
    passed: set[UUID] = set()
    while (organisation_id := turns.next_turn(Kind.PURGE, passed)) is not None:
        passed.add(organisation_id)
        try:
            in_time = retention.expire(organisation_id, until)
            erasing.erase_all(organisation_id, until)
            _remove_leftovers(organisation_id, until)
            with scope(organisation_id):
                shelves.drop_shelves()
        except Unavailable as error:  # the storage is away: the sweeper rings again
            log.warning("purge_put_off", organisation=str(organisation_id), error=str(error))
            continue
        if in_time:
            with scope(organisation_id):
                turns.conclude(Kind.PURGE, UNFINISHED)
        if time.monotonic() > until:
            turns.ring(Kind.PURGE)
            return


def _remove_leftovers(organisation_id: UUID, until: float) -> None:
    with scope(organisation_id):
        found = list(Leftover.objects.order_by("pk")[:10_000])
    for leftover in found:
        if time.monotonic() > until:
            return
        keeping.remove_leftover(leftover)
