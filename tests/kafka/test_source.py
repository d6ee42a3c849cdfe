"""Following a topic of a real broker: what is believed, what is kept, what is read again."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.bundle import Bundle
from berth.feed import kafka as kafka_module
from berth.feed.frames import Frame, model_frame
from berth.feed.kafka import KafkaSource
from berth.feed.manifest import Manifest, sealed
from berth.feed.sources import CaughtUp, Line
from berth.feed.subscriber import Subscriber
from tests.instance import wait_for
from tests.kafka.broker import Broker
from tests.kafka.conftest import is_withdrawn, records
from tests.runtime.feed.lines import line, withdrawn
from workers.kafka import Kafka

ROW = {"experience": 5, "education": 12, "region": "north"}


class Feed:
    """A topic of its own, written as the relay does."""

    def __init__(self, broker: Broker, key: Ed25519PrivateKey, bundles: list[Bundle]) -> None:
        self.broker, self.key, self.bundles = broker, key, bundles
        self.topic = f"models-{secrets.token_hex(4)}"
        self.open()

    def open(self) -> None:
        self.kafka = Kafka(self.broker.servers, {}, f"tests-{self.topic}", self.key)
        self.kafka.topic_id(self.topic)

    def promoted(self, offset: int, number: int, model: str = "pay") -> Frame:
        """Version `number` by the offset's line."""
        bundle = self.bundles[number - 1]
        return model_frame(sealed(line(bundle, offset, number, model), self.key), bundle.data)

    def withdrawn(self, offset: int, model: str = "pay") -> Frame:
        return model_frame(sealed(withdrawn(offset, model), self.key), None)

    def tell(self, *frames: Frame, complete: bool = True) -> None:
        self.kafka.publish(self.topic, frames, 1, complete)

    def source(self) -> KafkaSource:
        return KafkaSource(self.broker.servers, self.key.public_key(), topic=self.topic)


@pytest.fixture
def feed(kafka: Broker, key: Ed25519PrivateKey, bundles: list[Bundle]) -> Feed:
    return Feed(kafka, key, bundles)


Follow = Callable[[], Subscriber]


@pytest.fixture
def follow(feed: Feed, tmp_path: Path) -> Iterator[Follow]:
    """Subscribers of the topic that share a folder."""
    with ExitStack() as stack:

        def start() -> Subscriber:
            subscriber = Subscriber(
                source=feed.source(),
                organisation="acme",
                models=["pay"],
                public_key=feed.key.public_key(),
                folder=tmp_path / "followed",
            )
            return stack.enter_context(subscriber)

        yield start


def version(subscriber: Subscriber) -> int:
    """Which one answers; the answer must be that version's."""
    answer = subscriber.predict("pay", [ROW])
    assert answer["predictions"][0] // 1000 == answer["version"]
    return int(answer["version"])


def wait_for_version(subscriber: Subscriber, wanted: int) -> None:
    wait_for(lambda: version(subscriber) == wanted, 30, f"version {wanted} answers")


def state(subscriber: Subscriber) -> Any:
    (model,) = subscriber.status()["models"]
    return model


def until_caught_up(source: KafkaSource) -> list[Line]:
    lines = []
    for told in source.lines(0):
        if isinstance(told, CaughtUp):
            break
        assert isinstance(told, Line), told
        lines.append(told)
    return lines


def test_the_first_reading_tells_the_newest_line_of_each_model(feed: Feed) -> None:
    feed.tell(feed.promoted(1, 1), feed.promoted(2, 1, "bonus"), feed.promoted(3, 2))
    feed.tell(feed.promoted(3, 2), feed.withdrawn(4, "bonus"), feed.promoted(1, 1))
    told = [(orjson.loads(str_of(found)), found.inline) for found in until_caught_up(feed.source())]
    assert [(document["model"], document["offset"]) for document, _ in told] == [
        ("pay", 3),
        ("bonus", 4),
    ]
    assert [inline for _, inline in told] == [feed.bundles[1].data, None]


def str_of(found: Line) -> bytes:
    assert isinstance(found.document, bytes)
    return found.document


def test_a_bundle_that_was_not_kept_beside_its_line_is_read_again(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_module, "_BESIDE", len(feed.bundles[0].data))
    feed.tell(feed.promoted(1, 1), feed.promoted(2, 2, "bonus"))
    source = feed.source()
    first, second = until_caught_up(source)
    assert (first.inline, second.inline) == (feed.bundles[0].data, None)
    source.fetch(Manifest.read(second.document, None), tmp_path / "bundle")
    assert (tmp_path / "bundle").read_bytes() == feed.bundles[1].data


def test_a_tampered_line_is_refused_and_reported_and_the_old_version_answers(
    feed: Feed, follow: Follow
) -> None:
    feed.tell(feed.promoted(1, 1))
    subscriber = follow()
    genuine = orjson.loads(dict(feed.promoted(2, 2).headers)["manifest"])
    forged = orjson.dumps({**genuine, "version": 3})
    tampered = (("manifest", forged), ("inline", b"1"))
    feed.tell(replace(feed.promoted(2, 2), headers=tampered))
    wait_for(lambda: state(subscriber)["code"] == "forged", 30, "the refusal is told")
    assert version(subscriber) == 1
    feed.tell(feed.promoted(3, 3))
    wait_for_version(subscriber, 3)


def test_a_file_that_is_not_the_one_the_line_names_is_refused(feed: Feed, follow: Follow) -> None:
    feed.tell(feed.promoted(1, 1))
    subscriber = follow()
    feed.tell(replace(feed.promoted(2, 2), value=feed.bundles[2].data))
    wait_for(lambda: state(subscriber)["code"] == "wrong_hash", 30, "the refusal is told")
    assert (version(subscriber), state(subscriber)["status"]) == (1, "refused")


def test_a_tombstone_without_a_manifest_of_the_installations_means_nothing(
    feed: Feed, follow: Follow
) -> None:
    feed.tell(feed.promoted(1, 1))
    subscriber = follow()
    stranger = Ed25519PrivateKey.generate()
    forged = model_frame(sealed(withdrawn(2), stranger), None)
    feed.tell(Frame(b"acme/pay", None), forged)
    wait_for(lambda: state(subscriber)["code"] == "forged", 30, "the refusal is told")
    assert version(subscriber) == 1
    feed.tell(feed.withdrawn(3))
    wait_for(lambda: is_withdrawn(subscriber, "pay"), 30, "it is withdrawn")


def test_what_a_complete_topic_lacks_was_withdrawn_while_nobody_listened(
    feed: Feed, follow: Follow
) -> None:
    feed.tell(feed.promoted(1, 1))
    follow().close()
    feed.broker.forget(feed.topic)
    feed.open()
    feed.tell(complete=False)  # a topic that is being filled
    subscriber = follow()
    assert version(subscriber) == 1
    feed.tell(feed.promoted(2, 2, "bonus"))
    wait_for(lambda: is_withdrawn(subscriber, "pay"), 30, "it is withdrawn")


def test_after_compaction_a_newcomer_sees_the_newest_alone(feed: Feed, follow: Follow) -> None:
    feed.broker.compact_at_once(feed.topic)
    offset = 0

    def is_compacted() -> bool:
        nonlocal offset
        offset += 1
        feed.tell(feed.promoted(offset, 1 + offset % 3))
        return len(records(feed.broker, feed.topic)) < offset

    wait_for(is_compacted, 60, "older records are gone")
    subscriber = follow()
    assert (version(subscriber), state(subscriber)["offset"]) == (1 + offset % 3, offset)


def test_it_serves_through_an_outage_starts_in_it_and_goes_on_after_it(
    feed: Feed, follow: Follow
) -> None:
    feed.tell(feed.promoted(1, 1))
    subscriber = follow()
    feed.broker.down()
    try:
        wait_for(lambda: not subscriber.status()["connected"], 30, "the outage is noticed")
        newcomer = follow()
        assert (version(subscriber), version(newcomer)) == (1, 1)
    finally:
        feed.broker.up()
    feed.open()
    feed.tell(feed.promoted(2, 2))
    for one in (subscriber, newcomer):
        wait_for_version(one, 2)


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(feed: Feed, follow: Follow) -> None:
    feed.tell(feed.promoted(1, 1), feed.promoted(2, 2))
    subscriber = follow()
    feed.broker.forget(feed.topic)
    feed.open()
    feed.tell(feed.promoted(3, 3))
    wait_for_version(subscriber, 3)
