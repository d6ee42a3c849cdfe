"""An application that follows a model: what it answers while the model changes."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from berth.bundle import Bundle
from berth.feed.subscriber import ModelUnavailable, ModelWithdrawn, Subscriber
from berth.problems import InvalidInput
from tests.instance import wait_for
from tests.runtime.feed.fake import FakePortal

ROW = {"experience": 5, "education": 12, "region": "north"}
Follow = Callable[..., Subscriber]


def until(subscriber: Subscriber, version: int) -> None:
    wait_for(lambda: subscriber.model("pay").version == version, 20, f"version {version}")


def test_it_answers_as_the_api_does(
    portal: FakePortal, bundles: list[Bundle], follow: Follow
) -> None:
    portal.promote(bundles[1], 2)
    answer = follow().predict("pay", [ROW, {**ROW, "experience": 80}])
    assert (answer["model"], answer["version"]) == ("pay", 2)
    assert answer["predictions"] == pytest.approx([2005.0, 2080.0])
    assert answer["warnings"][0]["pointer"] == "/instances/1/experience"


def test_a_row_that_does_not_fit_names_its_place(
    portal: FakePortal, bundles: list[Bundle], follow: Follow
) -> None:
    portal.promote(bundles[0], 1)
    with pytest.raises(InvalidInput, match="/instances/0/experience"):
        follow().predict("pay", [{**ROW, "experience": "many"}])


def test_it_swaps_under_load_without_one_failed_or_mixed_answer(
    portal: FakePortal, bundles: list[Bundle], follow: Follow
) -> None:
    portal.promote(bundles[0], 1)
    subscriber = follow()
    over = threading.Event()

    def ask() -> set[int]:
        seen = set()
        while not over.is_set():
            model = subscriber.model("pay")
            for _ in range(3):  # one request that asks more than once
                answer = model.predict([ROW])
                assert answer["version"] == model.version
                assert answer["predictions"][0] // 1000 == model.version
            seen.add(answer["version"])
        return seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            for number in (2, 3, 1, 3):
                portal.promote(bundles[number - 1], number)
                until(subscriber, number)
        finally:
            over.set()
        assert set.union(*(done.result() for done in asking)) == {1, 2, 3}


def test_it_starts_and_serves_with_the_portal_gone(
    portal: FakePortal, bundles: list[Bundle], follow: Follow
) -> None:
    portal.promote(bundles[0], 1)
    follow().close()
    portal.down()
    subscriber = follow()
    assert subscriber.predict("pay", [ROW])["version"] == 1
    assert not subscriber.status()["connected"]
    portal.up()
    portal.promote(bundles[1], 2)
    until(subscriber, 2)
    assert subscriber.status()["connected"]


def test_a_model_that_never_came_says_so(portal: FakePortal, follow: Follow) -> None:
    with pytest.raises(ModelUnavailable, match="has arrived") as caught:
        follow().predict("pay", [ROW])
    assert caught.value.code == "not_there"


@pytest.mark.parametrize("how", ["withdrawn", "published no more"])
def test_a_withdrawn_model_stops_and_stays_stopped_over_a_restart(
    how: str, portal: FakePortal, bundles: list[Bundle], folder: Path, follow: Follow
) -> None:
    portal.promote(bundles[0], 1)
    subscriber = follow()
    if how == "withdrawn":
        portal.withdraw()
    else:
        portal.promote(bundles[0], 1, type="retired", architectures=["embedded"])
    wait_for(lambda: portal.newest_report().get("status") == "retired", 20, "the report")
    for running in (subscriber, follow()):
        with pytest.raises(ModelWithdrawn, match="not published any more"):
            running.predict("pay", [ROW])
    portal.down()
    with pytest.raises(ModelWithdrawn):
        follow().predict("pay", [ROW])
    assert how != "withdrawn" or not list((folder / "bundles").iterdir())


def test_a_withdrawn_model_comes_back_with_a_promotion(
    portal: FakePortal, bundles: list[Bundle], follow: Follow
) -> None:
    portal.promote(bundles[0], 1)
    portal.withdraw()
    subscriber = follow()
    with pytest.raises(ModelWithdrawn):
        subscriber.model("pay")
    portal.promote(bundles[1], 2)
    wait_for(lambda: subscriber.status()["models"][0]["serving"] == 2, 20, "version 2")
    assert subscriber.predict("pay", [ROW])["version"] == 2


def test_a_model_that_it_begins_to_follow_later_is_found(
    portal: FakePortal, bundles: list[Bundle], follow: Follow
) -> None:
    portal.promote(bundles[0], 1)
    portal.promote(bundles[1], 4, model="bonus")
    follow("pay").close()
    subscriber = follow("pay", "bonus")
    assert subscriber.model("bonus").version == 4


def test_it_reports_what_it_applied(
    portal: FakePortal, bundles: list[Bundle], follow: Follow
) -> None:
    offset = portal.promote(bundles[2], 3)
    follow()
    wait_for(lambda: portal.newest_report().get("status") == "applied", 20, "a report")
    told = portal.reports[-1]
    assert (told["subscriber"], told["kind"], told["position"]) == ("careers-1", "subscriber", 1)
    about = told["models"][0]
    assert (about["offset"], about["version"]) == (offset, 3)
    assert about["sha256"] == bundles[2].sha256
    assert about["seconds"] >= 0


def test_two_processes_may_share_a_folder(
    portal: FakePortal, bundles: list[Bundle], follow: Follow
) -> None:
    portal.promote(bundles[0], 1)
    first, second = follow(), follow()
    portal.promote(bundles[1], 2)
    for subscriber in (first, second):
        until(subscriber, 2)
    assert len(portal.asked) == 2, "each file is fetched once"


@pytest.mark.parametrize(
    ("given", "says"), [({"feed": None}, "needs feed"), ({"public_key": "AAAA"}, "32 bytes")]
)
def test_it_says_what_it_needs(given: dict[str, Any], says: str, folder: Path) -> None:
    fitting: dict[str, Any] = {"feed": "http://127.0.0.1:1", "public_key": "A" * 43 + "="}
    with pytest.raises(ValueError, match=says):
        Subscriber(models=["pay"], folder=folder, **{**fitting, **given})
