"""API keys: who holds one. What a key's text is like, ``berth.keys`` says."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from berth.keys import NoKey, id_of, matches
from portal import tenancy
from portal.access import KEY_SCOPES, Caller, Permission
from portal.errors import Unauthenticated, Unavailable
from portal.models import ApiKey

MOST_KNOWN = 10_000
WRONG = "This key is not valid: it may be mistyped or revoked."


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a process remembers of a key for a few seconds."""

    id: str
    organisation_id: UUID
    kind: str
    digest: str
    permissions: frozenset[Permission]
    calls_per_minute: int
    organisation_calls_per_minute: int


class KeyRing:
    """Keys that this process has seen lately; a revoked key is forgotten within ``ttl`` seconds.

    While the database is away a known key goes on being honoured, so that live predictions do.
    """

    def __init__(self, ttl: float) -> None:
        self.ttl = ttl
        self._known: dict[str, tuple[float, KeyFacts | None]] = {}
        self._lock = threading.Lock()

    def find(self, text: str) -> KeyFacts:
        """The facts of a live key. Raises Unauthenticated for any other text."""
        try:
            key_id = id_of(text)
        except NoKey as error:
            raise Unauthenticated(WRONG) from error
        now = time.monotonic()
        until, facts = self._known.get(key_id, (0.0, None))
        if now >= until:
            facts = self._learn(key_id, now, facts)
        if facts is None or not matches(text, facts.digest):
            raise Unauthenticated(WRONG)
        return facts

    def _learn(self, key_id: str, now: float, before: KeyFacts | None) -> KeyFacts | None:
        if before is not None:  # others need not wait for an answer that may take long to fail
            self._known[key_id] = (now + tenancy.DATABASE_PATIENCE, before)
        try:
            facts = _look_up(key_id)
        except tenancy.DATABASE_AWAY as error:
            if before is None:
                raise Unavailable("Keys can't be checked just now.") from error
            facts = before
        with self._lock:
            if len(self._known) >= MOST_KNOWN:
                self._make_room()
            self._known[key_id] = (time.monotonic() + self.ttl, facts)
        return facts

    def _make_room(self) -> None:
        """What was asked for and is no key goes first: guesses must not drive out real keys."""
        real = {key_id: known for key_id, known in self._known.items() if known[1] is not None}
        self._known = real if len(real) < MOST_KNOWN // 2 else {}

    def forget(self) -> None:
        self._known.clear()


def _look_up(key_id: str) -> KeyFacts | None:
    with tenancy.bearer(key_id):
        row = ApiKey.gate.select_related("organisation").filter(pk=key_id, revoked=None).first()
    if row is None:
        return None
    _stamp(row)
    return KeyFacts(
        id=row.pk,
        organisation_id=row.organisation_id,
        kind=row.kind,
        digest=row.digest,
        permissions=frozenset(Permission(scope) for scope in row.scopes),
        calls_per_minute=row.calls_per_minute,
        organisation_calls_per_minute=row.organisation.calls_per_minute,
    )


def _stamp(row: ApiKey) -> None:
    """Say when the key was last used, to the minute."""
    now = timezone.now()
    if row.last_used is None or now - row.last_used > timedelta(minutes=1):
        with tenancy.scope(row.organisation_id):
            ApiKey.objects.filter(pk=row.pk).update(last_used=now)


def caller_of(facts: KeyFacts, address: str) -> Caller:
    """The caller that holds the key."""
    return Caller(
        organisation_id=facts.organisation_id,
        actor=facts.id,
        permissions=facts.permissions & frozenset(KEY_SCOPES),
        address=address,
        key_id=facts.id,
    )


RING = KeyRing(settings.KEY_TTL)
