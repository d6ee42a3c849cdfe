"""What followers of the feed send back: reports that the page shows, journals that are kept."""

import json
import threading
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from berth.journal import SEPARATOR, Journal
from portal import tenancy
from portal.actions import create_server_token
from portal.turns import Kind, announce
from predictions import feed_api, loading
from predictions.loading import load_all
from predictions.models import Prediction, Subscriber
from predictions.subscribers import KEPT, STALE
from tests import pipelines
from tests.cast import Cast
from workers.tasks import tidy

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
V1 = "/api/v1"


@pytest.fixture
def api(cast: Cast) -> Client:
    for organisation in (cast.acme, cast.other):
        pipelines.publish(organisation, "wages", pipelines.wages())
    api = cast.api()
    for name in ("published", "dedicated"):
        address = f"{V1}/models/wages/deployments/{name}"
        answer = api.put(address, {"is_active": True}, "application/json")
        assert answer.json()["available"] is True
    return api


@pytest.fixture
def server(cast: Cast) -> Client:
    return Client(headers={"Authorization": f"Bearer {create_server_token('edge').text}"})


def report(*models: dict[str, Any], kind: str = "subscriber", name: str = "careers") -> Any:
    whole = [
        {"model": "wages", "offset": 3, "version": 1, "status": "applied", **m} for m in models
    ]
    return {"subscriber": name, "kind": kind, "berth": "0.1.0", "position": 3, "models": whole}


def send(client: Client, body: Any, path: str = "feed/reports") -> Any:
    return client.post(f"{V1}/{path}", body, content_type="application/json")


def page(cast: Cast) -> str:
    html = cast.browser(cast.alice).get("/models/wages/deploy").content.decode()
    return " ".join(html.split())


def test_a_subscriber_is_shown_with_the_version_that_it_applied(cast: Cast, api: Client) -> None:
    assert send(cast.api("read"), report({"seconds": 0.4})).status_code == 204
    shown = page(cast)
    assert "careers" in shown
    assert "loaded in 0.4 s" in shown
    assert "Version 1 answers at 1 of 1 that report." in shown
    assert "behind" not in shown


def test_a_later_report_takes_the_place_of_an_earlier_one(cast: Cast, api: Client) -> None:
    send(api, report({"offset": 1}))
    assert "2 lines behind" in page(cast)
    send(api, report({}))
    assert "behind" not in page(cast)
    with tenancy.scope(cast.acme.pk):
        assert Subscriber.objects.count() == 1


def test_a_refusal_is_shown_with_its_reason(cast: Cast, api: Client) -> None:
    refusal = {"status": "refused", "code": "forged", "detail": "The seal is <b>another's</b>."}
    send(api, report(refusal))
    assert "Refused version 1" in page(cast)
    assert "The seal is &lt;b&gt;another&#x27;s&lt;/b&gt;." in page(cast)


def test_one_that_fell_silent_is_marked_and_no_longer_counted(cast: Cast, api: Client) -> None:
    send(api, report({}, kind="server"))
    with tenancy.scope(cast.acme.pk):
        Subscriber.objects.update(heard=timezone.now() - 2 * STALE)
    assert "Silent" in page(cast)
    assert "No model server has reported yet" in page(cast)


def test_a_server_of_the_installation_reports_for_all(
    cast: Cast, api: Client, server: Client
) -> None:
    body = report(
        {"organisation": "acme"}, {"organisation": "other"}, {"organisation": "no"}, kind="server"
    )
    assert send(server, body, "server/reports").status_code == 204
    for organisation in (cast.acme, cast.other):
        with tenancy.scope(organisation.pk):
            assert Subscriber.objects.get().kind == "server"


def test_an_organisation_speaks_of_its_own_models_alone(cast: Cast, api: Client) -> None:
    send(api, report({"organisation": "other"}, {"model": "nothing"}))
    with tenancy.scope(cast.other.pk):
        assert not Subscriber.objects.exists()
    with tenancy.scope(cast.acme.pk):
        assert Subscriber.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"offset": "x"}, "/models/0/offset"),
        ({"offset": None}, "/models/0/offset"),
        ({"status": "fine"}, "/models/0/status"),
        ({"model": "a\0"}, "/models/0/model"),
        ({"version": True}, "/models/0/version"),
        ({"version": 3_000_000_000}, "/models/0/version"),
        ({"offset": 2**63}, "/models/0/offset"),
        ({"at": "2026-13-45T00:00:00Z"}, "/models/0/at"),
        ({"at": "2026-11-24T00:00:00"}, "/models/0/at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "/models/0/at"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "/models/0/at"),
        ({"at": 5}, "/models/0/at"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused_where_it_does_not(
    api: Client, change: dict[str, Any], where: str
) -> None:
    answer = send(api, report(change))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, where)


def test_seconds_that_make_no_sense_are_passed_over(cast: Cast, api: Client) -> None:
    assert send(api, report({"seconds": 10**18})).status_code == 204
    assert "loaded in" not in page(cast)


def test_a_key_that_only_reads_does_not_speak_as_a_server(cast: Cast, api: Client) -> None:
    body = report({}, kind="server")
    assert send(cast.api("read"), body).status_code == 403
    assert send(cast.api("serve"), body).status_code == 204


def test_who_was_not_heard_of_for_long_is_forgotten_by_the_hourly_tidying(
    cast: Cast, api: Client
) -> None:
    send(api, report({}))
    send(api, report({}, name="lost"))
    with tenancy.scope(cast.acme.pk):
        Subscriber.objects.filter(name="lost").update(heard=timezone.now() - 2 * KEPT)
        announce(Kind.INSPECT)  # as every upload does
    send(api, report({}))
    tidy()
    with tenancy.scope(cast.acme.pk):
        assert [row.name for row in Subscriber.objects.all()] == ["careers"]


@pytest.mark.parametrize("body", [[], {}, {"subscriber": "x", "kind": "?", "models": []}])
def test_a_body_that_is_no_report_is_refused(api: Client, body: Any) -> None:
    assert send(api, body).status_code == 422


def records(folder: Path, *organisations: Any) -> bytes:
    """A server's journal with one record for each."""
    journal = Journal(folder)
    for organisation in organisations:
        about = [str(uuid4()), str(organisation.pk), timezone.now(), "wages", 1, "sk_x", 1, 0.5]
        journal.append(SEPARATOR.join((orjson.dumps(about), b'{"q":1}', b'{"a":1}')))
    journal.close()
    (path,) = folder.glob("*.ready")
    return path.read_bytes()


def ship(client: Client, data: bytes, name: object = UUID(int=7)) -> Any:
    return client.post(
        f"{V1}/server/predictions",
        data,
        content_type="application/x-berth-journal",
        headers={"X-Journal-Name": str(name)},
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(loading, "FOLDER", tmp_path / "portal")
    return tmp_path / "portal"


def test_what_a_server_answered_is_in_the_database_once(
    cast: Cast, server: Client, folder: Path, tmp_path: Path
) -> None:
    data = records(tmp_path / "server", cast.acme, cast.other)
    assert ship(server, data).status_code == 204
    assert ship(server, data).status_code == 204
    assert load_all(folder) == 2
    assert ship(server, data).status_code == 204
    load_all(folder)
    with tenancy.scope(cast.other.pk):
        assert Prediction.objects.count() == 1
    with tenancy.scope(cast.acme.pk):
        assert Prediction.objects.get().request == '{"q":1}'


def test_an_organisation_ships_its_own_records_alone(
    cast: Cast, folder: Path, tmp_path: Path
) -> None:
    mixed = records(tmp_path / "server", cast.acme, cast.other)
    _, foreign = mixed.splitlines(keepends=True)
    answer = ship(cast.api("serve"), foreign)
    assert answer.json()["type"] == "/api/problems/foreign_record"
    assert not folder.exists()
    assert ship(cast.api("serve"), mixed).status_code == 204
    assert load_all(folder) == 1
    (aside,) = folder.iterdir()
    assert (aside.suffix, aside.read_bytes()) == (".bad", mixed)
    with tenancy.scope(cast.other.pk):
        assert not Prediction.objects.exists()


def test_a_part_that_came_first_does_not_stand_for_the_whole(
    cast: Cast, server: Client, folder: Path, tmp_path: Path
) -> None:
    whole = records(tmp_path / "server", cast.acme, cast.other)
    assert ship(server, whole.splitlines(keepends=True)[0]).status_code == 204
    assert load_all(folder) == 1
    assert ship(server, whole).status_code == 204
    load_all(folder)
    with tenancy.scope(cast.other.pk):
        assert Prediction.objects.count() == 1


def test_a_damaged_record_costs_the_others_nothing(
    cast: Cast, server: Client, folder: Path, tmp_path: Path
) -> None:
    data = records(tmp_path / "server", cast.acme, cast.other)
    assert ship(server, data.replace(b'"q"', b'"Q"', 1)).status_code == 204
    assert load_all(folder) == 1
    assert [path.suffix for path in folder.iterdir()] == [".bad"]


def test_large_journals_are_bounded_and_few_at_a_time(
    cast: Cast, server: Client, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = records(tmp_path / "server", cast.acme)
    monkeypatch.setattr(feed_api, "READ_AHEAD", 10)
    for _ in range(5):  # each gives its place back
        assert ship(server, data).status_code == 204
    monkeypatch.setattr(feed_api, "_large", threading.BoundedSemaphore(1))
    with feed_api._room(11):
        busy = ship(server, data)
    assert (busy.status_code, int(busy["Retry-After"]) > 0) == (503, True)
    monkeypatch.setattr(feed_api, "MOST_SHIPPED", len(data) - 1)
    assert ship(server, data).status_code == 413


def test_a_server_that_ships_without_end_is_slowed_down(
    cast: Cast, server: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_api, "JOURNALS_PER_MINUTE", 1)
    assert [ship(server, b"").status_code for _ in range(2)] == [204, 429]


def test_a_journal_that_is_none_is_refused_and_a_torn_tail_is_not(
    cast: Cast, server: Client, folder: Path, tmp_path: Path
) -> None:
    data = records(tmp_path / "server", cast.acme)
    for bad in (b"hello\n", data.replace(b'"q"', b'"Q"')):
        assert ship(server, bad).json()["type"] == "/api/problems/bad_journal"
    assert ship(server, data, "../x").json()["type"] == "/api/problems/bad_name"
    assert ship(server, b"").status_code == 204
    assert not folder.exists()
    assert ship(server, data + b"0000").status_code == 204
    assert load_all(folder) == 1


def test_a_journal_that_the_disk_does_not_take_is_not_acknowledged(
    cast: Cast, server: Client, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    shipped = records(tmp_path / "server", cast.acme)
    monkeypatch.setattr("predictions.receiving.os.fsync", full)
    answer = ship(server, shipped)
    assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems/journal_unavailable")
    assert list(folder.iterdir()) == []


def test_a_native_version_is_not_offered_where_graphs_alone_can_run(cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        version = pipelines.seal(cast.acme, "wages", pipelines.wages())
        version.pk, version.number, version.report = uuid4(), 2, {"runtime": "native"}
        version.save(force_insert=True)
    api = cast.api()
    for name in ("embedded", "published"):
        api.put(f"{V1}/models/wages/deployments/{name}", {"is_active": True}, "application/json")
    assert api.post(f"{V1}/models/wages/versions/2/promote").status_code == 200
    (*_, line) = api.get(f"{V1}/feed").json()["items"]
    assert (line["runtime"], line["architectures"]) == ("native", ["embedded", "offline"])
    answer = api.put(
        f"{V1}/models/wages/deployments/dedicated", {"is_active": True}, "application/json"
    )
    assert answer.json()["type"] == "/api/problems/architecture_unavailable"
    assert "natively" in json.dumps(answer.json())
