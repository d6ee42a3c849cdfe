"""From the portal over a real broker to an application that answers all the while."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from django.test import Client

from berth.bundle import Bundle
from berth.feed.subscriber import Subscriber
from models_hub import sealing
from tests import pipelines
from tests.cast import Cast
from tests.instance import wait_for
from tests.kafka.broker import Broker
from tests.kafka.conftest import Relaying, is_withdrawn, promote, publish

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
PAY = "/api/v1/models/pay"
ROW = {"experience": 5, "education": 12, "region": "north"}


@pytest.fixture
def portal(cast: Cast, bundles: list[Bundle]) -> Client:
    """Three versions of “pay”, whose answers are about 1000, 2000 and 3000."""
    for bundle in bundles:
        made = replace(pipelines.wages(), onnx=bundle.onnx, signature=bundle.signature)
        pipelines.seal(cast.acme, "pay", made)
    publish(cast, "pay")
    return cast.api()


def subscriber(broker: Broker, folder: Path) -> Subscriber:
    return Subscriber(
        kafka=broker.servers,
        organisation="acme",
        models=["pay"],
        public_key=sealing.signing_key().public_key(),
        folder=folder,
    )


@contextmanager
def asked(application: Subscriber) -> Iterator[set[int]]:
    """Four clients ask without a pause; yields the versions that answered, in whole requests."""
    seen: set[int] = set()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            model = application.model("pay")
            for _ in range(3):
                answer = model.predict([ROW])
                assert answer["predictions"][0] // 1000 == answer["version"] == model.version
            seen.add(answer["version"])

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            yield seen
        finally:
            over.set()
        for one in asking:
            one.result()


def test_an_application_swaps_under_load_without_one_failed_or_mixed_answer(
    broker: Broker, portal: Client, relaying: Relaying, tmp_path: Path
) -> None:
    relaying()
    promote(portal, 1, PAY)
    with subscriber(broker, tmp_path) as application:
        with asked(application) as seen:
            for number in (2, 3):
                promote(portal, number, PAY)
                wait_for(partial(seen.__contains__, number), 30, f"version {number} answers")
            portal.post(f"{PAY}/rollback")
            wait_for(lambda: application.model("pay").version == 2, 30, "version 2 is back")
        assert seen == {1, 2, 3}
        portal.post(f"{PAY}/withdraw")
        wait_for(lambda: is_withdrawn(application, "pay"), 30, "it is withdrawn")
