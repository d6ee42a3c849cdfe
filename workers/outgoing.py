"""Outboxes on their way out: claimed by lease, sent side by side, tried again, given up.

A line is written in the transaction of the deed that it tells of. One worker of the installation
at a time empties an outbox, so that recipients who don't answer keep one process waiting and not
all of them; a line that a killed worker held is due again when its lease runs out.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.db import connection
from django.utils import timezone

from portal import turns
from portal.tenancy import DATABASE_AWAY, current, scope
from portal.turns import Kind
from workers.told_models import Outgoing

log = structlog.get_logger()
LEASE_SECONDS = 180  # longer than the longest try
AT_ONCE = 8
JITTER = 0.2
KEPT = timedelta(days=30)

_CLAIM = """
UPDATE {table} SET attempt = attempt + 1, due = clock_timestamp() + %s * interval '1 second'
WHERE id = (
    SELECT id FROM {table} WHERE organisation_id = %s AND state = 'pending'
      AND due <= clock_timestamp()
    ORDER BY due, id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try. ``error`` "" is success; ``final``: trying again is no use."""

    error: str = ""
    final: bool = False
    status: int | None = None
    milliseconds: int = 0


class Post(Protocol):
    """One outbox. ``waits``: the seconds before the second try, the third, and so on."""

    @property
    def kind(self) -> Kind: ...

    @property
    def model(self) -> type[Any]: ...

    @property
    def waits(self) -> Sequence[float]: ...

    def prepared(self, line: Any) -> Callable[[], Outcome]:
        """The try itself, which runs in a thread and without the database. Called in the
        organisation's scope."""
        ...

    def noted(self, line: Any, outcome: Outcome) -> None:
        """Called in the transaction that notes what came of the line, before it is saved."""
        ...


def send_due(post: Post, seconds: float = turns.SLICE_SECONDS) -> None:
    """Send what is due for at most ``seconds`` (and the last tries' time); ring again if lines
    are left. Returns at once where another worker is at it."""
    until, left = time.monotonic() + seconds, False
    with _alone(post.kind) as alone:
        while alone and not left and (batch := list(_claimed(post))):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                outcomes = pool.map(lambda claim: _try(claim[1]), batch)
                for (line, _), outcome in zip(batch, outcomes, strict=True):
                    _note(post, line, outcome)
            left = time.monotonic() > until
    if left:
        turns.ring(post.kind)


@contextmanager
def _alone(kind: Kind) -> Iterator[bool]:
    """Whether this worker is the one; it stays so as long as the connection lives."""
    with connection.cursor() as cursor:
        name = f"berth {kind.value}"
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _claimed(post: Post) -> Iterator[tuple[Outgoing, Callable[[], Outcome]]]:
    """Up to AT_ONCE lines, each organisation in its turn."""
    passed: set[UUID] = set()
    count = 0
    while count < AT_ONCE and (found := turns.next_turn(post.kind, passed)) is not None:
        with scope(found):
            line = _claim(post)
            if line is None:
                passed.add(found)
                table = post.model._meta.db_table
                turns.put_off(post.kind, f"SELECT min(due) FROM {table} WHERE state = 'pending'")  # noqa: S608  # ours
                continue
        count += 1
        yield line, _prepared(post, line)


def _prepared(post: Post, line: Outgoing) -> Callable[[], Outcome]:
    try:
        with scope(line.organisation_id):
            return post.prepared(line)
    except DATABASE_AWAY:
        raise
    except Exception:
        log.exception("outgoing_not_prepared", line=str(line))
        return lambda: Outcome("A fault of ours: the message could not be made.")


def _claim(post: Post) -> Any:
    with connection.cursor() as cursor:
        statement = _CLAIM.format(table=post.model._meta.db_table)
        cursor.execute(statement, [LEASE_SECONDS, current()])
        row = cursor.fetchone()
    return None if row is None else post.model.objects.get(pk=row[0])


def _try(attempt: Callable[[], Outcome]) -> Outcome:
    """A fault of ours is noted like one of the recipient's, and holds up nobody else's line."""
    started = time.monotonic()
    try:
        outcome = attempt()
    except Exception as error:
        log.exception("outgoing_failed")
        outcome = Outcome(f"A fault of ours: {type(error).__name__}.")
    elapsed = int((time.monotonic() - started) * 1000)
    return Outcome(outcome.error, outcome.final, outcome.status, elapsed)


def _note(post: Post, line: Outgoing, outcome: Outcome) -> None:
    """Unless the lease ran out and somebody else has the line by now."""
    with scope(line.organisation_id):
        ours = post.model.objects.select_for_update().filter(
            pk=line.pk, attempt=line.attempt, state=Outgoing.State.PENDING
        )
        held = ours.first()
        if held is None:
            return
        held.error, tries = outcome.error, held.attempt - held.spent
        if not outcome.error:
            held.state = Outgoing.State.SENT
        elif outcome.final or tries > len(post.waits):
            held.state = Outgoing.State.DEAD
        else:
            wait = post.waits[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # no secret
            held.due = timezone.now() + timedelta(seconds=wait)
            turns.announce(post.kind, held.due)
        if held.state != Outgoing.State.PENDING:
            held.finished = timezone.now()
        post.noted(held, outcome)
        held.save()


def forget_old(*posts: Post) -> None:
    """Drop the lines of the organisation in scope that ended longer ago than KEPT."""
    for post in posts:
        post.model.objects.filter(finished__lt=timezone.now() - KEPT).delete()
