"""A portal whose feeds go to a real broker, and readers of what is there."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import onnx
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from berth.feed.frames import KEYS, MARK, MODELS
from berth.feed.manifest import Manifest
from berth.feed.subscriber import ModelWithdrawn, Subscriber
from berth.feed.topic import End, Record, Topic, TopicLost
from models_hub import sealing
from models_hub.models import Deployment
from portal import tenancy
from tests import pipelines
from tests.cast import Cast
from tests.instance import ROOT, wait_for
from tests.kafka.broker import Broker
from tests.runtime.conftest import key  # noqa: F401  (a fixture)
from tests.runtime.feed.conftest import bundles  # noqa: F401  (a fixture)
from workers.relay import Relay

MODEL = "/api/v1/models/wages"
Relaying = Callable[[], threading.Event]


@pytest.fixture
def broker(kafka: Broker, settings: Settings) -> Iterator[Broker]:
    """The broker, up and without our topics, set as the installation's."""
    settings.ENV = replace(django_settings.ENV, kafka_bootstrap_servers=kafka.servers)
    yield kafka
    if not kafka.answers():
        kafka.up()
    kafka.forget(MODELS, KEYS)


@pytest.fixture
def relaying(broker: Broker) -> Iterator[Relaying]:
    """Starts a relay on a thread; what it returns, once set, ends it."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(running_relay())


@contextmanager
def running_relay() -> Iterator[threading.Event]:
    stop = threading.Event()

    def run() -> None:
        Relay(stop).run()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield stop
    stop.set()
    thread.join()


@pytest.fixture
def api(cast: Cast) -> Client:
    """Acme's “wages” of two versions, to be published as data; none of them is live."""
    for _ in range(2):
        pipelines.seal(cast.acme, "wages", pipelines.wages())
    publish(cast)
    return cast.api()


class Process:
    """A relay in a process of its own, on the tests' database."""

    def __init__(self, broker: Broker, code: str) -> None:
        urls = {"DATABASE_URL": "database_url", "DATABASE_APP_URL": "database_app_url"}
        database = connection.settings_dict["NAME"]
        environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
        environ["KAFKA_BOOTSTRAP_SERVERS"] = broker.servers
        for name, attribute in urls.items():
            url = getattr(django_settings.ENV, attribute)
            environ[name] = f"{url.rpartition('/')[0]}/{database}"
        self.process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environ)

    def wait(self) -> int:
        """Its exit code; the negative number of the signal that ended it."""
        return self.process.wait(60)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def publish(cast: Cast, slug: str = "wages") -> None:
    """Switch on what Kafka feeds."""
    with tenancy.scope(cast.acme.pk):
        rows = Deployment.objects.filter(model__slug=slug, architecture="published")
        rows.update(is_active=True)


def seal_large(cast: Cast) -> None:
    """The next version of “wages”, whose Bundle is larger than a record may be."""
    graph = onnx.load_from_string(pipelines.wages().onnx)
    graph.doc_string = "long " * 200_000
    pipelines.seal(cast.acme, "wages", replace(pipelines.wages(), onnx=graph.SerializeToString()))


def promote(api: Client, number: int, model: str = MODEL) -> None:
    answer = api.post(f"{model}/versions/{number}/promote")
    assert answer.status_code == 200, answer.content


def records(broker: Broker, topic: str = MODELS) -> list[Record]:
    """All that the topic holds now, but for the relay's marks."""
    found: list[Record] = []
    for told in Topic(broker.servers, topic, {"fetch.wait.max.ms": "50"}).read():
        if isinstance(told, End):
            break
        if isinstance(told, Record) and told.key != MARK:
            found.append(told)
    return found


def manifests(broker: Broker) -> list[Manifest]:
    """The lines there, their seals checked."""
    public = sealing.signing_key().public_key()
    return [Manifest.read(record.headers["manifest"], public) for record in records(broker)]


def wait_until_told(broker: Broker, offset: int) -> None:
    """Until Acme's line of this offset is on Kafka."""
    wait_for(lambda: has(broker, offset), 30, f"the line {offset} is on Kafka")


def has(broker: Broker, offset: int) -> bool:
    """Whether the line of this offset, or a newer one, is on Kafka."""
    with suppress(TopicLost):
        return any(manifest.offset >= offset for manifest in manifests(broker))
    return False


def is_withdrawn(subscriber: Subscriber, model: str) -> bool:
    """Whether the application was told to serve the model no more."""
    try:
        subscriber.model(model)
    except ModelWithdrawn:
        return True
    return False
