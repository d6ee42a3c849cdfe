"""Where people see how the feeds on Kafka stand."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.utils import timezone
from pytest_django.fixtures import Settings

from portal.models import Counter
from tests.cast import Cast
from workers.models import RelayState

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


@pytest.fixture
def brokers(settings: Settings) -> None:
    settings.ENV = replace(django_settings.ENV, kafka_bootstrap_servers="kafka:9092")


def page(cast: Cast) -> str:
    return " ".join(cast.browser(cast.alice).get("/settings").content.decode().split())


def note(**more: object) -> None:
    Counter.objects.update_or_create(name="keys", defaults={"value": 0})
    Counter.objects.update_or_create(name="models", defaults={"value": 21})
    RelayState.objects.create(topic="berth.keys", at=timezone.now())
    RelayState.objects.create(**{"topic": "berth.models", "at": timezone.now(), **more})


def test_without_brokers_the_settings_do_not_speak_of_kafka(cast: Cast) -> None:
    assert "Kafka" not in page(cast)


def test_without_a_relay_the_settings_say_what_must_run(cast: Cast, brokers: None) -> None:
    assert "Is `manage.py relay` running?" in page(cast)


def test_an_outage_shows_what_waits_and_since_when(cast: Cast, brokers: None) -> None:
    since = timezone.now() - timedelta(minutes=7)
    note(position=1, problem="Kafka takes no lines just now.", since=since)
    shown = page(cast)
    assert "20 lines of the feeds wait for it (noticed <time" in shown
    assert f"{since:%Y-%m-%dT%H:%M:%S}" in shown
    assert "Kafka takes no lines just now." in shown


def test_with_nothing_waiting_the_settings_say_so(cast: Cast, brokers: None) -> None:
    note(position=21)
    assert "has every line of the feeds of models and keys" in page(cast)


def test_a_relay_that_fell_silent_is_missing(cast: Cast, brokers: None) -> None:
    note(position=21, at=timezone.now() - timedelta(minutes=5))
    assert "No relay has given a sign of life" in page(cast)
