"""The relay: one process brings the feeds of models and keys to Apache Kafka, in order.

Any number may be started; the one with the lease works. Lines are written in Kafka transactions
and then marked in RelayState: killed in between, they are written once more, which followers
tell by the offset. A relay that lost its lease unawares is fenced by the next one's producer.
"""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256

import structlog
from confluent_kafka import KafkaError, KafkaException
from django.conf import settings
from django.db import connection
from psycopg import Error as DatabaseGone

from berth.feed.backoff import Backoff
from models_hub import sealing
from portal.errors import Unavailable
from portal.feeds import CHANNEL
from portal.tenancy import DATABASE_AWAY
from workers.kafka import Kafka
from workers.outboxes import LINES, OUTBOXES, Outbox
from workers.relayed import LeaseLost, Progress

log = structlog.get_logger()
LOCK = "berth relay"
LOOK_SECONDS = 1.0  # between two looks, if nothing rings


class Lease:
    """The right to relay: a lock that lives as long as a connection of its own, on which
    PostgreSQL also rings when a feed has a new line."""

    def __init__(self) -> None:
        self._own = connection.copy()

    def take(self) -> bool:
        """Whether it is ours now."""
        with self._own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [LOCK])
            if not cursor.fetchone()[0]:
                return False
            cursor.execute(f"LISTEN {CHANNEL}")
        log.info("relay_has_the_lease")
        return True

    def wait(self, seconds: float) -> None:
        """Until it rings, or so long. Raises psycopg's error when the lease is lost."""
        for _ in self._own.connection.notifies(timeout=seconds, stop_after=1):
            pass

    def close(self) -> None:
        """Give it up."""
        self._own.close()


class Relay:
    """Runs in a process of its own until ``stop`` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Wait for the lease, work while it holds, and again."""
        away = False
        while not self.stop.is_set():
            try:
                with closing(Lease()) as held:
                    while not (self.stop.is_set() or held.take()):
                        self.stop.wait(LOOK_SECONDS)
                    away = False
                    self._hold(held)
            except (*DATABASE_AWAY, DatabaseGone) as error:
                if not away:
                    log.warning("relay_lost_the_database", error=str(error))
                away = True
                connection.close()
            self.stop.wait(LOOK_SECONDS)

    def _hold(self, held: Lease) -> None:
        """Relay until stopped, through any outage of Kafka or of the storage. Returns when
        another relay has fenced this one."""
        backoff, progress = Backoff(most=5.0), Progress()
        while not self.stop.is_set():
            try:
                with brokers() as kafka:
                    self._follow(kafka, held, progress, backoff)
            except LeaseLost as error:
                log.warning("relay_lost_its_lease", error=str(error))
                return
            except KafkaException as error:
                if error.args[0].code() == KafkaError._FENCED:
                    log.warning("relay_was_fenced")
                    return
                progress.stuck("Kafka takes no lines just now; the relay's log says why.", error)
            except Unavailable as error:
                progress.stuck(error.detail, error)
            held.wait(backoff.next())

    def _follow(self, kafka: Kafka, held: Lease, progress: Progress, backoff: Backoff) -> None:
        for outbox in OUTBOXES:
            progress.begin(outbox, kafka.topic_id(outbox.topic))
        while not self.stop.is_set():
            # In turn, so that a revoked key does not wait behind a thousand models.
            more = [step(kafka, outbox, progress) for outbox in OUTBOXES]
            backoff.reset()
            if not any(more):
                progress.well()
            held.wait(0 if any(more) else LOOK_SECONDS)


def step(kafka: Kafka, outbox: Outbox, progress: Progress) -> bool:
    """Bring the next lines to Kafka, if any wait; whether more may."""
    rows = outbox.after(progress.of(outbox))
    complete = len(rows) < LINES
    if rows or not progress.is_complete(outbox):
        position = rows[-1].position if rows else progress.of(outbox)
        frames = [frame for row in rows if (frame := outbox.frame(row)) is not None]
        kafka.publish(outbox.topic, frames, position, complete)
        progress.reached(outbox, position, complete)
    return not complete


@contextmanager
def brokers() -> Iterator[Kafka]:
    """A connection that has fenced all earlier ones of this installation."""
    env, key = settings.ENV, sealing.signing_key()
    ours = sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]
    kafka = Kafka(
        env.kafka_bootstrap_servers or "", env.kafka_properties, f"berth-relay-{ours}", key
    )
    try:
        yield kafka
    finally:
        kafka.close()
