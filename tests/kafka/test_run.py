"""`make run` with brokers set: the relay comes with it."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from berth.feed.frames import KEYS, MODELS
from berth.feed.topic import TopicLost
from tests.instance import Instance, wait_for
from tests.kafka.broker import Broker
from tests.kafka.conftest import records


@pytest.fixture
def berth(kafka: Broker) -> Iterator[Instance]:
    made = Instance(KAFKA_BOOTSTRAP_SERVERS=kafka.servers)
    made.start()
    yield made
    made.remove()
    kafka.forget(MODELS, KEYS)


def keys(broker: Broker) -> int:
    """How many records the topic of keys holds."""
    with suppress(TopicLost):
        return len(records(broker, KEYS))
    return 0


def health(berth: Instance) -> Any:
    return httpx.get(f"{berth.base_url}/health/ready").json()["kafka"]


def test_the_relay_starts_with_the_rest_and_is_started_again_after_kill_9(
    kafka: Broker, berth: Instance
) -> None:
    berth.create_organisation("acme")
    wait_for(lambda: keys(kafka) == 2, 60, "both keys of the organisation are on Kafka")
    os.kill(berth.server("manage.py relay"), signal.SIGKILL)
    berth.create_organisation("other")
    wait_for(lambda: keys(kafka) == 4, 60, "the other's keys are there too")
    told = {"waiting": 0, "problem": "", "seconds": None}
    wait_for(lambda: bool(health(berth) == told), 30, f"health says {told}")
