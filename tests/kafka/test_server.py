"""A model server that hears of models and keys from a real broker, with the portal away."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import cast as typed

import pytest
from django.test import Client

from berth.bundle import Bundle
from models_hub import sealing
from models_hub.models import Deployment
from portal import tenancy
from portal.access import system
from portal.actions.keys import create_key, revoke_key
from tests import pipelines
from tests.cast import Cast
from tests.instance import wait_for
from tests.kafka.broker import Broker
from tests.kafka.conftest import Relaying, promote
from tests.runtime.server.portal import ServerPortal
from tests.runtime.server.running import Server, serving

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
PAY = "/api/v1/models/pay"
ONE: dict[str, list[Any]] = {"experience": [5.0], "education": [12], "region": ["north"]}


class NoPortal:
    """An address at which nobody answers."""

    url, token = "http://127.0.0.1:9", "st_none"


@pytest.fixture
def portal(cast: Cast, bundles: list[Bundle]) -> Client:
    for bundle in bundles:
        made = replace(pipelines.wages(), onnx=bundle.onnx, signature=bundle.signature)
        pipelines.seal(cast.acme, "pay", made)
    with tenancy.scope(cast.acme.pk):
        rows = Deployment.objects.filter(model__slug="pay", architecture="dedicated")
        rows.update(is_active=True)
    return cast.api()


def answers(server: Server) -> int:
    """The thousands of the answer: which version it is by."""
    answer = server.infer(ONE)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["outputs"][0]["data"][0] // 1000)


def test_it_starts_follows_and_honours_keys_by_kafka_alone(
    broker: Broker, portal: Client, cast: Cast, relaying: Relaying, tmp_path: Path
) -> None:
    relaying()
    promote(portal, 1, PAY)
    with tenancy.scope(cast.acme.pk):
        made = create_key(system(cast.acme.pk), "site", ["predict"])
    public = b64encode(sealing.signing_key().public_key().public_bytes_raw()).decode()
    options = ("--kafka", broker.servers, "--public-key", public)
    with serving(nobody(), tmp_path / "server", *options, key=made.text) as server:
        wait_for(lambda: server.infer(ONE).status_code == 200, 30, "key and model are there")
        assert answers(server) == 1
        promote(portal, 2, PAY)
        wait_for(lambda: answers(server) == 2, 30, "version 2 answers")
        with tenancy.scope(cast.acme.pk):
            revoke_key(system(cast.acme.pk), made.row.pk)
        wait_for(lambda: server.infer(ONE).status_code == 401, 30, "the key is revoked")


def nobody() -> ServerPortal:
    return typed(ServerPortal, NoPortal())


def test_a_file_of_properties_that_is_none_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("not a property\n")
    public = b64encode(sealing.signing_key().public_key().public_bytes_raw()).decode()
    options = ("--kafka", "127.0.0.1:9", "--kafka-properties", str(file), "--public-key", public)
    with serving(nobody(), tmp_path / "server", *options, ready=False) as server:
        assert server.process.wait(30) == 1
        assert "line 1 is not name=value" in server.log.read_text()
