"""From a deed in the portal to a record on a real broker, whatever dies in between."""

import signal
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import KafkaException
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from berth.feed.frames import INLINE_BYTES, KEYS, MODELS, Frame, read_key
from berth.feed.topic import TopicLost
from models_hub import sealing, storage
from models_hub.models import Version
from portal import tenancy
from portal.access import system
from portal.actions.keys import create_key, revoke_key
from tests.cast import Cast
from tests.instance import wait_for
from tests.kafka.broker import Broker
from tests.kafka.conftest import (
    MODEL,
    Process,
    Relaying,
    manifests,
    promote,
    records,
    seal_large,
    wait_until_told,
)
from workers import relayed
from workers.relay import brokers

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def test_deeds_arrive_in_order_with_the_bundle_and_a_tombstone_at_the_end(
    broker: Broker, api: Client, cast: Cast, relaying: Relaying
) -> None:
    relaying()
    promote(api, 1)
    promote(api, 2)
    api.post(f"{MODEL}/rollback")
    api.post(f"{MODEL}/withdraw")
    wait_until_told(broker, 4)
    found, lines = records(broker), manifests(broker)
    assert [record.key for record in found] == [b"acme/wages"] * 4
    assert [(line.offset, line.type, line.version) for line in lines] == [
        (1, "promoted", 1),
        (2, "promoted", 2),
        (3, "rolled_back", 1),
        (4, "withdrawn", None),
    ]
    for record, line in zip(found[:3], lines[:3], strict=True):
        assert line.sha256 is not None
        assert record.headers["inline"] == b"1"
        assert record.value == storage.read_stored(cast.acme.pk, line.sha256)
    assert found[3].value is None
    assert "inline" not in found[3].headers


def test_a_model_that_is_published_nowhere_is_a_tombstone(
    broker: Broker, api: Client, relaying: Relaying
) -> None:
    promote(api, 1)
    api.put(f"{MODEL}/deployments/published", {"is_active": False}, "application/json")
    relaying()
    wait_until_told(broker, 2)
    assert [record.value is None for record in records(broker)] == [False, True]


def test_an_outage_of_twenty_promotions_is_made_up_for_in_order(
    broker: Broker, api: Client, relaying: Relaying
) -> None:
    relaying()
    promote(api, 1)
    wait_until_told(broker, 1)
    broker.down()
    for number in range(20):
        promote(api, 2 - number % 2)
    wait_for(lambda: bool(told()["problem"]), 30, "the outage is noticed")
    assert told()["waiting"] == 20
    broker.up()
    wait_until_told(broker, 21)
    offsets = [line.offset for line in manifests(broker)]
    assert newest_of(offsets) == list(range(1, 22))
    wait_for(lambda: told() == {"waiting": 0, "problem": "", "seconds": None}, 10, "all is well")


DIES = """
import os, signal, threading, django
django.setup()
from workers import relay
reached = relay.Progress.reached
def die(self, outbox, *more):
    if outbox.topic == "berth.models":
        os.kill(os.getpid(), signal.SIGKILL)
    reached(self, outbox, *more)
relay.Progress.reached = die
relay.Relay(threading.Event()).run()
"""


def test_kill_9_between_the_brokers_word_and_the_mark_repeats_lines_and_loses_none(
    broker: Broker, api: Client, relaying: Relaying
) -> None:
    for number in (1, 2, 1):
        promote(api, number)
    for _ in range(2):
        assert Process(broker, DIES).wait() == -signal.SIGKILL
    promote(api, 2)
    relaying()
    wait_until_told(broker, 4)
    offsets = [line.offset for line in manifests(broker)]
    assert offsets == [1, 2, 3, 1, 2, 3, 1, 2, 3, 4]
    assert newest_of(offsets) == [1, 2, 3, 4]


def test_of_two_relays_one_works_and_the_other_takes_over(
    broker: Broker, api: Client, relaying: Relaying
) -> None:
    first, _ = relaying(), relaying()
    for number in (1, 2, 1):
        promote(api, number)
    wait_until_told(broker, 3)
    first.set()
    for number in (2, 1, 2):
        promote(api, number)
    wait_until_told(broker, 6)
    assert [line.offset for line in manifests(broker)] == [1, 2, 3, 4, 5, 6]


def test_a_relay_that_lost_its_lease_unawares_writes_nothing_any_more(
    broker: Broker, api: Client, relaying: Relaying
) -> None:
    promote(api, 1)
    with brokers() as zombie:
        zombie.topic_id(MODELS)
        relaying()
        wait_until_told(broker, 1)
        with pytest.raises(KafkaException, match="fenced"):
            zombie.publish(MODELS, [Frame(b"acme/wages", None)], 9, complete=True)
    assert [line.offset for line in manifests(broker)] == [1]


def test_a_relay_that_the_database_cut_off_takes_the_lease_again(
    broker: Broker, api: Client, relaying: Relaying
) -> None:
    relaying()
    promote(api, 1)
    wait_until_told(broker, 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchall() == [(True,)]
    promote(api, 2)
    wait_until_told(broker, 2)
    assert [line.offset for line in manifests(broker)] == [1, 2]


def test_a_bundle_that_is_too_large_for_kafka_goes_by_its_address(
    broker: Broker, api: Client, cast: Cast, relaying: Relaying
) -> None:
    seal_large(cast)
    promote(api, 3)
    relaying()
    wait_until_told(broker, 1)
    (record,), (line,) = records(broker), manifests(broker)
    assert line.size is not None
    assert line.size > INLINE_BYTES
    assert (record.value, record.headers["inline"]) == (b"{}", b"0")
    assert line.address == f"/api/v1/bundles/{line.sha256}"


def test_a_file_that_is_lost_holds_up_nobodys_lines(
    broker: Broker, api: Client, cast: Cast, relaying: Relaying
) -> None:
    promote(api, 1)
    with tenancy.scope(cast.acme.pk):
        storage.delete(cast.acme.pk, Version.objects.get(number=1).bundle_sha256)
    promote(api, 2)
    relaying()
    wait_until_told(broker, 2)
    assert [record.headers["inline"] for record in records(broker)] == [b"0", b"1"]


def test_keys_go_out_with_the_installations_seal_and_so_do_revocations(
    broker: Broker, cast: Cast, relaying: Relaying
) -> None:
    relaying()
    with tenancy.scope(cast.acme.pk):
        made = create_key(system(cast.acme.pk), "site", ["predict"])
        revoke_key(system(cast.acme.pk), made.row.pk)
    wait_for(lambda: len(lines_of(broker, made.row.pk)) == 2, 30, "both lines are there")
    first, last = lines_of(broker, made.row.pk)
    assert (first["organisation"], first["scopes"], first["revoked"]) == (
        "acme",
        ["predict"],
        False,
    )
    assert last["revoked"] is True
    public = Ed25519PrivateKey.generate().public_key()
    assert all(read_key(record.value, public) is None for record in records(broker, KEYS))


def lines_of(broker: Broker, key: str) -> list[dict[str, Any]]:
    """What the topic of keys says of one, the seals checked."""
    public = sealing.signing_key().public_key()
    with suppress(TopicLost):
        found = [read_key(record.value, public) for record in records(broker, KEYS)]
        return [line for line in found if line and line["key"] == key]
    return []


def test_a_topic_that_was_made_anew_is_filled_anew(
    broker: Broker, api: Client, relaying: Relaying
) -> None:
    relaying()
    promote(api, 1)
    wait_until_told(broker, 1)
    broker.forget(MODELS)
    promote(api, 2)
    wait_until_told(broker, 2)
    assert [line.offset for line in manifests(broker)] == [1, 2]


def test_a_relay_without_an_address_says_what_to_set() -> None:
    with pytest.raises(CommandError, match="KAFKA_BOOTSTRAP_SERVERS is not set"):
        call_command("relay")
    assert relayed.told() is None


def newest_of(offsets: list[int]) -> list[int]:
    """What a follower makes of them: it ignores what is no newer than what it has."""
    kept: list[int] = []
    for offset in offsets:
        if not kept or offset > kept[-1]:
            kept.append(offset)
    return kept


def told() -> dict[str, object]:
    found = relayed.told()
    assert found is not None
    return found
