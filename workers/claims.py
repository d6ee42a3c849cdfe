"""Who works at which chunk: a lease by the database's clock, kept alive, guarded by a fence.

Each claim raises the chunk's fence. Whatever a worker writes, it writes with ``owned``: a worker
that lost its lease (stopped, cut off, too slow) finds the fence raised and writes nothing.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.db import OperationalError, connection

from portal.tenancy import current, scope
from workers.models import Chunk

log = structlog.get_logger()
LEASE_SECONDS = 30
MOST_ATTEMPTS = 3
BEAT_SECONDS = 8.0

_CLAIM = """
UPDATE workers_chunk
SET state = 'leased', attempt = attempt + 1, fence = fence + 1,
    lease_until = clock_timestamp() + %s * interval '1 second'
WHERE id = (
    SELECT c.id FROM workers_chunk c JOIN workers_job j ON j.id = c.job_id
    WHERE c.organisation_id = %s AND j.status IN ('queued', 'running')
      AND (c.row_from = -1 OR j.rows_total IS NOT NULL)
      AND c.state IN ('pending', 'leased')
      AND (c.state = 'pending' OR c.lease_until < clock_timestamp())
    ORDER BY c.job_id, c.row_from LIMIT 1 FOR UPDATE OF c SKIP LOCKED
) RETURNING id
"""
_EXTEND = """
UPDATE workers_chunk SET lease_until = clock_timestamp() + %s * interval '1 second'
WHERE id = %s AND fence = %s AND state = 'leased'
"""


class Overtaken(Exception):
    """The chunk is another worker's by now, or its job is not running any more."""


def claim() -> Chunk | None:
    """The next chunk of the organisation in scope, leased to the caller: the oldest job first.

    A job's rows come up only when its whole file was read, so a broken file scores nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [LEASE_SECONDS, current()])
        row = cursor.fetchone()
    if row is None:
        return None
    return Chunk.objects.select_related("job__version__model").get(pk=row[0])


@contextmanager
def owned(chunk: Chunk) -> Iterator[None]:
    """A transaction in the organisation's scope in which the chunk is the caller's for certain.

    The job's row is locked against changes of its status: a cancelled job takes no more rows.
    Raises Overtaken.
    """
    with scope(chunk.organisation_id):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM workers_job WHERE id = %s AND status = 'running' FOR SHARE",
                [chunk.job_id],
            )
            if cursor.fetchone() is None:
                raise Overtaken
            cursor.execute(_EXTEND, [LEASE_SECONDS, chunk.pk, chunk.fence])
            if cursor.rowcount != 1:
                raise Overtaken
        yield


def start(chunk: Chunk) -> None:
    """The chunk's job is running from its first claim on."""
    with scope(chunk.organisation_id), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_job SET status = 'running',"
            " started_at = coalesce(started_at, clock_timestamp())"
            " WHERE id = %s AND status = 'queued'",
            [chunk.job_id],
        )


def give_back(chunk: Chunk, *, counts: bool) -> None:
    """Let another claim have the chunk now; ``counts``: this attempt was the chunk's own fault."""
    try:
        with owned(chunk):
            chunk.attempt -= 0 if counts else 1
            chunk.state = Chunk.State.PENDING
            chunk.lease_until = None
            chunk.save(update_fields=["attempt", "state", "lease_until"])
    except Overtaken:
        log.info("chunk_not_ours_to_give_back", chunk=str(chunk))


@contextmanager
def held(chunk: Chunk) -> Iterator[None]:
    """Keep the lease alive meanwhile, however long the work takes."""
    over = threading.Event()
    args = (chunk.organisation_id, chunk.pk, chunk.fence, over)
    thread = threading.Thread(target=_beat, args=args, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(organisation_id: UUID, chunk_id: UUID, fence: int, over: threading.Event) -> None:
    try:
        while not over.wait(BEAT_SECONDS):
            try:
                with scope(organisation_id), connection.cursor() as cursor:
                    cursor.execute(_EXTEND, [LEASE_SECONDS, chunk_id, fence])
                    if cursor.rowcount != 1:
                        return
            except OperationalError as error:  # the lease runs out if this goes on
                log.warning("lease_not_extended", chunk=str(chunk_id), error=str(error))
                connection.close()
    finally:
        connection.close()  # a thread's connection is its own
