"""Each deed's line of the model feed: the whole standing, signed, in one order for all."""

import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from berth.feed.manifest import Manifest, ManifestError
from models_hub import sealing
from models_hub.events import complete_feed
from models_hub.models import HostedModel, ModelEvent, Version
from portal import prepared, tenancy
from portal.management.commands import prepare
from portal.models import KeyEvent, new_id
from tests import pipelines
from tests.cast import Cast, assemble

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
MODEL = "/api/v1/models/wages"


@pytest.fixture
def api(cast: Cast) -> Client:
    for _ in range(2):
        pipelines.seal(cast.acme, "wages", pipelines.wages())
    return cast.api()


def lines() -> list[Any]:
    with tenancy.relay():
        return [event.document for event in ModelEvent.gate.order_by("position")]


def test_a_line_is_the_models_whole_standing_under_the_installations_seal(
    api: Client, cast: Cast
) -> None:
    api.post(f"{MODEL}/versions/1/promote")
    (line,) = lines()
    read = Manifest.read(line, sealing.signing_key().public_key())
    with tenancy.scope(cast.acme.pk):
        version = Version.objects.get(number=1)
    assert (read.organisation, read.organisation_id) == ("acme", str(cast.acme.pk))
    assert (read.type, read.model, read.version, read.offset) == ("promoted", "wages", 1, 1)
    assert (read.sha256, read.size) == (version.bundle_sha256, version.bundle_size)
    assert read.address == f"/api/v1/bundles/{version.bundle_sha256}"
    assert read.architectures == {"embedded", "offline"}
    assert line["signature"] == version.signature
    with pytest.raises(ManifestError):
        Manifest.read({**line, "version": 2}, sealing.signing_key().public_key())


def test_what_is_switched_on_and_off_stands_in_every_line(api: Client) -> None:
    api.post(f"{MODEL}/versions/1/promote")
    api.put(f"{MODEL}/deployments/embedded", {"is_active": False}, "application/json")
    api.post(f"{MODEL}/versions/2/promote")
    told = [(line["type"], line["version"], line["architectures"]) for line in lines()]
    assert told == [
        ("promoted", 1, ["embedded", "offline"]),
        ("retired", 1, ["offline"]),
        ("promoted", 2, ["offline"]),
    ]


def test_a_withdrawn_model_has_nothing_live_until_it_is_rolled_back(api: Client) -> None:
    api.post(f"{MODEL}/versions/1/promote")
    assert api.post(f"{MODEL}/withdraw").json()["live_version"] is None
    assert api.post(f"{MODEL}/withdraw").json()["type"] == "/api/problems/nothing_live"
    answer = api.post(f"{MODEL}/predict", {"instances": [{}]}, "application/json")
    assert answer.json()["type"] == "/api/problems/nothing_live"
    assert api.post(f"{MODEL}/rollback").json()["live_version"] == 1
    told = [(line["type"], line["version"], line["sha256"] is None) for line in lines()]
    assert told == [("promoted", 1, False), ("withdrawn", None, True), ("rolled_back", 1, False)]


def test_withdrawing_is_done_on_the_page_of_versions(api: Client, cast: Cast) -> None:
    api.post(f"{MODEL}/versions/1/promote")
    alice = cast.browser(cast.alice)
    assert "Withdraw version 1" in alice.get("/models/wages/versions").content.decode()
    page = alice.post("/models/wages/withdraw", follow=True).content.decode()
    assert "Nothing is live any more" in page
    assert "Roll back to version 1" in page
    assert "withdrawn" in page


def test_a_version_without_a_certificate_cannot_go_live(api: Client, cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        first = Version.objects.select_related("model").get(number=1)
        first.pk, first.number = new_id(), 3
        first.report = {"certificate": {"passed": False}}
        first.save(force_insert=True)
    answer = api.post(f"{MODEL}/versions/3/promote")
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/not_certified")
    assert lines() == []


def test_a_roll_back_asks_for_the_certificate_too(api: Client, cast: Cast) -> None:
    pipelines.seal(cast.acme, "wages", pipelines.wages(), report={"certificate": {"passed": False}})
    api.post(f"{MODEL}/versions/1/promote")
    with tenancy.scope(cast.acme.pk):
        HostedModel.objects.update(before=[3])  # as an older release may have left it
    answer = api.post(f"{MODEL}/rollback")
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/not_certified")
    assert api.get(MODEL).json()["live_version"] == 1


def test_positions_count_over_all_organisations_and_offsets_in_each(
    api: Client, cast: Cast
) -> None:
    api.post(f"{MODEL}/versions/1/promote")
    pipelines.publish(cast.other, "wages", pipelines.wages())
    api.post(f"{MODEL}/versions/2/promote")
    with tenancy.relay():
        told = ModelEvent.gate.order_by("position").values_list("position", "offset")
        assert list(told) == [(1, 1), (2, 1), (3, 2)]


def test_the_relay_sees_the_lines_of_all_and_can_change_none(api: Client) -> None:
    api.post(f"{MODEL}/versions/1/promote")
    with tenancy.relay(), connection.cursor() as cursor:
        assert KeyEvent.gate.count() > 0
        cursor.execute("UPDATE models_hub_modelevent SET actor = 'x'")
        assert cursor.rowcount == 0
        cursor.execute("SELECT count(*) FROM models_hub_version")
        assert cursor.fetchone() == (0,)


def test_a_model_of_a_release_without_a_feed_gets_its_line_at_the_upgrade(
    api: Client, cast: Cast
) -> None:
    api.post(f"{MODEL}/versions/1/promote")
    with tenancy.scope(cast.acme.pk):
        ModelEvent.objects.update(document=None)
    assert complete_feed() == 1
    assert complete_feed() == 0
    (_, line) = lines()
    assert (line["type"], line["version"], line["offset"]) == ("promoted", 1, 2)


def test_each_upgrade_completes_the_feed_also_without_a_migration(
    api: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post(f"{MODEL}/versions/1/promote")
    with tenancy.scope(cast.acme.pk):
        ModelEvent.objects.update(document=None)
    monkeypatch.setattr(prepare, "bootstrap", lambda *_: None)
    monkeypatch.setattr(prepared, "write", lambda *_: None)
    call_command("prepare", "--no-demo")
    assert [line["version"] for line in lines() if line] == [1]


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_who_has_seen_a_line_has_seen_all_before_it() -> None:
    """Many promote at once; a reader that only ever looks beyond what it has seen misses none."""
    cast = assemble()
    keys = []
    for organisation in (cast.acme, cast.other):
        for _ in range(4):
            pipelines.seal(organisation, "wages", pipelines.wages())
        keys.append(cast.key(organisation=organisation))

    def promote_all(key: str) -> None:
        client = Client(headers={"Authorization": f"Bearer {key}"})
        for number in (1, 2, 3, 4):
            assert client.post(f"{MODEL}/versions/{number}/promote").status_code == 200
        connection.close()

    writers = [threading.Thread(target=promote_all, args=(key,)) for key in keys]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    writing = True
    while writing:
        writing = any(writer.is_alive() for writer in writers)
        with tenancy.relay():
            rows = ModelEvent.gate.filter(position__gt=seen[-1] if seen else 0)
            seen += rows.order_by("position").values_list("position", flat=True)
    for writer in writers:
        writer.join()
    assert seen == list(range(1, 9))
