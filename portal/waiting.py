"""Long polls: look, wait until something may have come, look again.

One thread of the process listens for what ``feeds.next_position`` rings and wakes whoever waits
for that feed. A bell may be missed (the database went away and came back), so who waits also
looks by itself, often while nobody listens.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import psycopg
import structlog
from django.db import DEFAULT_DB_ALIAS, connections

from portal import permits
from portal.errors import Unavailable
from portal.feeds import CHANNEL
from portal.tenancy import DATABASE_AWAY

log = structlog.get_logger()
MOST_WAITING = 192  # below the threads of a process (portal.supervisor), so that others get some
FOR_SERVERS = 32  # of them, that no organisation takes
MOST_EACH = 16  # of one organisation, or with one server's token
LONGEST_WAIT = 30.0
LISTENING_SECONDS = 5.0
ALONE_SECONDS = 1.0
_TURN_SECONDS = 0.5
EVERYBODY = ""

T = TypeVar("T")


class Bell:
    """Wakes this process's waiting requests. Starts to listen when the first one waits."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._counts: Counter[str] = Counter()
        self._listener: threading.Thread | None = None
        self._listening = False
        self._closed = False

    def count(self, topic: str) -> int:
        """How often it rang for the topic: ask before looking, and hand to ``wait``."""
        return self._counts[topic] + self._counts[EVERYBODY]

    def wait(self, topic: str, counted: int, seconds: float) -> None:
        """Until it rang again, but no longer than it is sensible to go without looking."""
        self._listen()
        most = LISTENING_SECONDS if self._listening else ALONE_SECONDS
        with self._rung:
            self._rung.wait_for(lambda: self.count(topic) != counted, min(seconds, most))

    def ring(self, *topics: str) -> None:
        """Wake who waits for one of the topics; without a topic, everybody."""
        with self._rung:
            self._counts.update(topics or [EVERYBODY])
            self._rung.notify_all()

    def close(self) -> None:
        """Stop listening, until somebody waits again."""
        listener, self._closed = self._listener, True
        if listener is not None:
            listener.join()
        self._listener, self._closed = None, False

    def _listen(self) -> None:
        with self._rung:
            if self._listener is None:
                self._listener = threading.Thread(target=self._run, name="bell", daemon=True)
                self._listener.start()

    def _run(self) -> None:
        while not self._closed:
            try:
                self._hear()
            except (*DATABASE_AWAY, psycopg.Error) as error:
                log.warning("bell_not_heard", error=str(error))
                time.sleep(_TURN_SECONDS)

    def _hear(self) -> None:
        connection = connections.create_connection(DEFAULT_DB_ALIAS)
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._listening = True
            self.ring()  # for what rang before we listened
            while not self._closed:
                for heard in connection.connection.notifies(timeout=_TURN_SECONDS):
                    feed, _, _ = heard.payload.partition(" ")
                    self.ring(feed, heard.payload)
        finally:
            self._listening = False
            connection.close()


class Places:
    """Who waits in this process: so many in all, and so many of each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, who: str, *, is_server: bool) -> bool:
        """A place for one more; False where ``who`` has all that one may have.

        Raises Unavailable when too many wait already.
        """
        most = MOST_WAITING if is_server else MOST_WAITING - FOR_SERVERS
        with self._lock:
            if self._taken[who] >= MOST_EACH:
                return False
            if self._taken.total() >= most:
                detail = "Too many wait here just now: ask again."
                raise Unavailable(detail, code="too_many_waiting")
            self._taken[who] += 1
            return True

    def leave(self, who: str) -> None:
        """Give the place back."""
        with self._lock:
            self._taken[who] -= 1
            self._taken += Counter()  # forgets who has none


BELL = Bell()
PLACES = Places()


def look_until(
    topic: str, seconds: float, look: Callable[[], T], who: str, *, is_server: bool = False
) -> T:
    """``look()`` as soon as it finds something, or what it finds when the seconds are over, or
    when ``MOST_EACH`` of ``who`` wait already.

    ``topic`` is a feed, or a feed and an organisation's id with a space between; ``who`` is an
    organisation's id, or a token's of a server of the installation (``is_server``). Call it
    outside a transaction. Raises Unavailable when too many wait already.
    """
    end = time.monotonic() + seconds
    while True:
        counted = BELL.count(topic)
        found = look()
        left = end - time.monotonic()
        if found or left <= 0:
            return found
        if not PLACES.take(who, is_server=is_server):
            return found
        try:
            with permits.resting():
                BELL.wait(topic, counted, left)
        finally:
            PLACES.leave(who)
