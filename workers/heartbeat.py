"""A sign of life from the workers, by the database's clock."""

import socket

from django.db import DatabaseError, connection

FRESH_SECONDS = 30


def beat() -> None:
    """Say that a worker on this machine is at work."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workers_heartbeat (name, at) VALUES (%s, clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET at = clock_timestamp()",
            [socket.gethostname()],
        )


def any_alive() -> bool:
    """Whether some worker gave a sign within FRESH_SECONDS."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM workers_heartbeat"
            " WHERE at > clock_timestamp() - %s * interval '1 second')",
            [FRESH_SECONDS],
        )
        return bool(cursor.fetchone()[0])


def workers_missing() -> str:
    """For readiness: what is wrong with the workers, or ""."""
    try:
        return "" if any_alive() else "No worker has given a sign of life lately."
    except DatabaseError:
        return "The workers' sign of life can't be read."
