"""Whose turn it is. The database is the queue; Celery's messages are only the bell.

A verb that leaves work behind calls ``announce`` in its transaction. A worker that hears the bell
(or a sweeper that rings again) takes the organisation that was served longest ago, and works
inside that organisation's scope. A lost or doubled message can therefore lose or double nothing.
Work may also wait for its hour: nobody rings for it before that.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import structlog
from celery import current_app
from django.db import connection, transaction
from django.db.models.functions import Now
from kombu import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from portal import tenancy
from portal.models import Turn
from portal.tenancy import current

log = structlog.get_logger()
Kind = Turn.Kind
RING_SECONDS = 0.5
SLICE_SECONDS = 30.0  # of work after one bell: well below Celery's time limit


def announce(kind: Kind, due: datetime | None = None) -> None:
    """The organisation in scope has work of this kind, to be done now or when it is ``due``; ring
    when the transaction commits, if it is now.

    Waits for a worker that is just concluding there is none, so no work is overlooked.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO portal_turn (organisation_id, kind, waiting, due)"
            " VALUES (%s, %s, true, coalesce(%s, clock_timestamp()))"
            " ON CONFLICT (organisation_id, kind) DO UPDATE SET waiting = true, due = CASE"
            " WHEN portal_turn.waiting THEN least(portal_turn.due, excluded.due)"
            " ELSE excluded.due END",
            [current(), kind, due],
        )
    if due is None:
        transaction.on_commit(lambda: ring(kind))


def ring(kind: Kind) -> None:
    """Tell the workers there may be work. A broker that is away or mute costs a second: the
    work is committed, and the sweeper rings again."""
    options = current_app.conf.broker_transport_options | {
        "socket_timeout": RING_SECONDS,
        "socket_connect_timeout": RING_SECONDS,
    }
    try:
        with Connection(current_app.conf.broker_url, transport_options=options) as line:
            current_app.send_task(f"workers.{kind.value}", connection=line, retry=False, expires=60)
    except (OperationalError, OSError, RedisError) as error:
        log.warning("bell_not_rung", kind=kind.value, error=str(error))


def waiting_kinds() -> list[Kind]:
    """The kinds of work that are due anywhere: what a sweeper has to ring for."""
    with tenancy.dispatcher():
        kinds = (
            Turn.gate.filter(waiting=True, due__lte=Now()).values_list("kind", flat=True).distinct()
        )
        return [Kind(kind) for kind in kinds]


def next_turn(kind: Kind, passed: Collection[UUID]) -> UUID | None:
    """The organisation to serve next, leaving out those ``passed`` in this round."""
    with tenancy.dispatcher(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE portal_turn SET last_served = clock_timestamp() WHERE id = ("
            " SELECT id FROM portal_turn WHERE kind = %s AND waiting AND due <= clock_timestamp()"
            " AND NOT organisation_id = ANY(%s)"
            " ORDER BY last_served NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED"
            ") RETURNING organisation_id",
            [kind, list(passed)],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def conclude(kind: Kind, unfinished: str) -> None:
    """Take the organisation in scope off the list unless the query ``unfinished`` finds a row.

    The turn's row is locked first: whoever announces meanwhile waits, then sets it again.
    """
    _settle(
        kind,
        "UPDATE portal_turn SET waiting = false"  # noqa: S608  # a constant of ours, never input
        f" WHERE organisation_id = %s AND kind = %s AND NOT EXISTS ({unfinished})",
    )


def put_off(kind: Kind, until: str) -> None:
    """Take the organisation in scope off the list until the moment that the query ``until``
    gives; for good where that is NULL. As careful as ``conclude``."""
    _settle(
        kind,
        "UPDATE portal_turn SET waiting = next.at IS NOT NULL, due = coalesce(next.at, due)"  # noqa: S608  # a constant of ours, never input
        f" FROM ({until}) AS next (at) WHERE organisation_id = %s AND kind = %s",
    )


def _settle(kind: Kind, statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM portal_turn WHERE organisation_id = %s AND kind = %s FOR UPDATE",
            [current(), kind],
        )
        cursor.execute(statement, [current(), kind])


def known_organisations() -> list[UUID]:
    """Every organisation that ever left work behind."""
    with tenancy.dispatcher():
        return list(Turn.gate.values_list("organisation_id", flat=True).distinct())
