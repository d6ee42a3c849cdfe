"""Feeds: gapless series of lines, written with the deeds that they tell of, and waited for.

A line's position is taken from a counter whose row stays locked until the deed's transaction
ends, so lines appear in the order of their positions: who has seen one has seen all before it.
Taking a position also rings: PostgreSQL tells listeners once the transaction is committed.
"""

from enum import StrEnum

from django.db import connection

from portal.tenancy import current

CHANNEL = "berth_feeds"


class Feed(StrEnum):
    """The series there are."""

    MODELS = "models"
    KEYS = "keys"


def next_position(feed: Feed) -> int:
    """The next position of the feed, for a line of the organisation in scope. From here to the
    transaction's end no other line of this feed is written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO portal_counter (name, value) VALUES (%s, 1)"
            " ON CONFLICT (name) DO UPDATE SET value = portal_counter.value + 1 RETURNING value",
            [feed],
        )
        position: int = cursor.fetchone()[0]
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"{feed} {current()}"])
    return position


def last_position(feed: Feed) -> int:
    """The newest position of the feed, of any organisation's line; 0 where it has none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM portal_counter WHERE name = %s", [feed])
        found = cursor.fetchone()
    return int(found[0]) if found else 0
