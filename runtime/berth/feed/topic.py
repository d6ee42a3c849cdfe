"""Reading one compacted topic of one partition: from its beginning to the end, then on."""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

_POLL = 0.25  # seconds
_ASK = 2.0  # seconds of silence until the broker is asked whether there is news
_PATIENCE = 0.5  # seconds that it may take to answer
# A reader keeps little in memory, and comes back soon after an outage.
_CONFIG: Mapping[str, str | int | bool] = {
    "group.id": "berth",  # the client wants one; nothing is ever committed
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",  # a topic that was made anew is read anew
    "queued.max.messages.kbytes": 16_384,
    "reconnect.backoff.max.ms": 2_000,
    "log_level": 2,  # outages are told by Silent
}
_GONE = {
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


class TopicLost(Exception):
    """The topic can't be read on from where we were."""


@dataclass(frozen=True, slots=True)
class Record:
    offset: int
    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class End:
    """All before `offset` was told."""

    offset: int


@dataclass(frozen=True, slots=True)
class Silent:
    """The brokers do not answer just now, for this reason."""

    reason: str


class Topic:
    """A topic's records. `properties` are librdkafka's, for TLS or passwords."""

    def __init__(
        self, bootstrap_servers: str, name: str, properties: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.closed = threading.Event()
        self._config = {**_CONFIG, **(properties or {}), "bootstrap.servers": bootstrap_servers}
        self._trouble: str | None = None

    def read(self) -> Iterator[Record | End | Silent]:
        """All that the topic holds and then what comes, until close(). End comes again and
        again while there is no news. Raises TopicLost, after which one reads anew."""
        consumer = self._open(OFFSET_BEGINNING)
        end, heard = -1, time.monotonic()
        try:
            while not self.closed.is_set():
                message = consumer.poll(_POLL)
                if message is not None:
                    self._trouble, heard = None, time.monotonic()
                    found = self._told(message)
                    end = found.offset if isinstance(found, End) else -1
                    yield found
                elif self._trouble or time.monotonic() - heard > _ASK:
                    heard = time.monotonic()
                    yield from self._ask(consumer, end)
        finally:
            consumer.close()

    def at(self, offset: int, seconds: float) -> Record | None:
        """The record there; None where compaction took it. Raises TopicLost if it did not come
        within so many seconds."""
        consumer = self._open(offset)
        until = time.monotonic() + seconds
        try:
            while not self.closed.is_set() and time.monotonic() < until:
                message = consumer.poll(_POLL)
                if message is not None:
                    found = self._told(message)
                    return found if isinstance(found, Record) and found.offset == offset else None
        finally:
            consumer.close()
        raise TopicLost(f"Kafka did not send a record of {self.name} within {seconds:.0f} s.")

    def close(self) -> None:
        """From any thread: what reads ends within a second."""
        self.closed.set()

    def _open(self, offset: int) -> Consumer:
        consumer = Consumer({**self._config, "error_cb": self._on_error})
        consumer.assign([TopicPartition(self.name, 0, offset)])
        return consumer

    def _on_error(self, error: KafkaError) -> None:
        self._trouble = error.str()

    def _told(self, message: Message) -> Record | End:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise TopicLost(f"The topic {self.name} can't be read: {error.str()}.")
        offset = message.offset() or 0
        if error is not None:
            return End(offset)
        given = dict(message.headers() or []).items()
        headers = {name: value for name, value in given if isinstance(value, bytes)}
        return Record(offset, message.key() or b"", message.value(), headers)

    def _ask(self, consumer: Consumer, end: int) -> Iterator[End | Silent]:
        """Silence is news only if the broker says so."""
        try:
            partition = TopicPartition(self.name, 0)
            _, high = consumer.get_watermark_offsets(partition, timeout=_PATIENCE)
        except KafkaException as error:
            if error.args[0].code() in _GONE:
                raise TopicLost(f"Kafka has no topic {self.name}.") from error
            yield Silent(f"Kafka does not answer: {self._trouble or error.args[0].str()}.")
        else:
            self._trouble = None
            if 0 <= high <= end:
                yield End(high)
