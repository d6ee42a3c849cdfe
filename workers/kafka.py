"""Writing to Apache Kafka: whole transactions, and by one relay alone."""

import time
from collections import deque
from collections.abc import Iterable, Mapping

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.feed.frames import Frame, mark_frame

log = structlog.get_logger()
SECONDS = 5.0  # that one call to the brokers may take
HOUR, WEEK = 3_600_000, 604_800_000  # milliseconds
# Compacted: of each key the newest record stays, though for an hour every one, and a tombstone
# for a week. One partition keeps all in order.
TOPIC = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": str(HOUR),
    "delete.retention.ms": str(WEEK),
}
PRODUCER: Mapping[str, str | int | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "transaction.timeout.ms": 30_000,
    "linger.ms": 0,
    "reconnect.backoff.max.ms": 2_000,
    "socket.keepalive.enable": True,
    "log_level": 2,  # what goes wrong is raised
}


class Kafka:
    """The brokers as the relay sees them. Every call may raise KafkaException.

    The producer's transactional id is the installation's own: whoever opens one later fences
    the earlier ones, so that a relay that lost its lease without noticing writes nothing more.
    """

    def __init__(
        self, servers: str, properties: Mapping[str, str], name: str, key: Ed25519PrivateKey
    ) -> None:
        self._key = key
        shared = {**properties, "bootstrap.servers": servers}
        self._admin = AdminClient({"log_level": 2, **shared})
        heard = deque[str](maxlen=1)
        ours = {"transactional.id": name, "error_cb": lambda error: heard.append(error.str())}
        self._producer = Producer({**PRODUCER, **shared, **ours})
        try:
            self._producer.init_transactions(SECONDS)
        except KafkaException as error:
            self._producer.poll(0)  # hears what lies behind “timed out”
            reason = heard[0] if heard else error.args[0].str()
            raise KafkaException(KafkaError(error.args[0].code(), reason)) from error

    def topic_id(self, topic: str) -> str:
        """The topic's id, which another topic of this name never has. Makes it if need be."""
        found = self._described(topic)
        if found is None:
            made = self._admin.create_topics([NewTopic(topic, 1, config=TOPIC)])[topic]
            made.result(SECONDS)
            log.info("topic_made", topic=topic)
        until = time.monotonic() + SECONDS  # in which all brokers have heard of it
        while found is None:
            found = self._described(topic, last=time.monotonic() > until)
        return found

    def publish(self, topic: str, frames: Iterable[Frame], position: int, complete: bool) -> None:
        """Write the frames, in order, all or none; on return the brokers have them."""
        self._producer.begin_transaction()
        for frame in (*frames, mark_frame(topic, position, complete, self._key)):
            self._producer.produce(topic, frame.value, frame.key, headers=list(frame.headers))
        self._producer.commit_transaction(SECONDS)

    def close(self) -> None:
        """Let go at once of what is not written: the next producer makes the brokers forget it."""
        self._producer.purge()

    def _described(self, topic: str, *, last: bool = False) -> str | None:
        described = self._admin.describe_topics(TopicCollection([topic]))[topic]
        try:
            return str(described.result(SECONDS).topic_id)
        except KafkaException as error:
            if last or error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            return None
