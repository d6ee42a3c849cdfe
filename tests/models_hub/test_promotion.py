"""Which version answers: promoted, rolled back, told on the feed."""

import time
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from models_hub.models import ModelEvent, Version
from portal import tenancy
from portal.models import AuditEntry
from tests import pipelines
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
MODEL = "/api/v1/models/wages"


@pytest.fixture
def api(cast: Cast) -> Client:
    """Three versions, none of them live."""
    for _ in range(3):
        pipelines.seal(cast.acme, "wages", pipelines.wages())
    return cast.api()


def promote(api: Client, number: int) -> Any:
    return api.post(f"{MODEL}/versions/{number}/promote")


def live(answer: Any) -> int:
    assert answer.status_code == 200, answer.content
    return int(answer.json()["live_version"])


def test_a_promoted_version_is_live(api: Client) -> None:
    assert live(promote(api, 2)) == 2
    assert live(api.get(MODEL)) == 2


def test_rolling_back_walks_back_through_what_was_live(api: Client) -> None:
    for number in (1, 3, 2):
        promote(api, number)
    assert live(api.post(f"{MODEL}/rollback")) == 3
    assert live(api.post(f"{MODEL}/rollback")) == 1
    end = api.post(f"{MODEL}/rollback")
    assert end.status_code == 409
    assert end.json()["type"] == "/api/problems/nothing_before"
    assert live(api.get(MODEL)) == 1


def test_a_promotion_after_a_roll_back_goes_on_from_there(api: Client) -> None:
    for number in (1, 2):
        promote(api, number)
    api.post(f"{MODEL}/rollback")
    promote(api, 3)
    assert live(api.post(f"{MODEL}/rollback")) == 1


def test_promoting_the_live_version_changes_nothing(api: Client, cast: Cast) -> None:
    promote(api, 1)
    assert live(promote(api, 1)) == 1
    with tenancy.scope(cast.acme.pk):
        assert ModelEvent.objects.count() == 1
    assert api.post(f"{MODEL}/rollback").status_code == 409


@pytest.mark.parametrize("status", ["inspecting", "refused"])
def test_a_version_that_is_not_ready_cannot_be_promoted(
    api: Client, cast: Cast, status: str
) -> None:
    with tenancy.scope(cast.acme.pk):
        model = Version.objects.filter(number=1).select_related("model").get().model
        refusal = {"code": "x", "detail": "x"} if status == "refused" else None
        Version.objects.create(
            model=model, number=4, status=status, refusal=refusal, format="onnx", filename="x",
            sha256="0", size=1, created_by="x",
        )  # fmt: skip
    answer = promote(api, 4)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/api/problems/not_ready"
    assert status in answer.json()["detail"]


@pytest.mark.parametrize("number", ["9", "0", "99999999999999999999"])
def test_a_version_that_is_not_there_is_not_found(api: Client, number: str) -> None:
    assert api.post(f"{MODEL}/versions/{number}/promote").status_code == 404
    assert api.get(f"{MODEL}/versions/{number}").status_code == 404


def test_each_deed_is_one_event_and_the_offsets_have_no_gap(api: Client, cast: Cast) -> None:
    promote(api, 1)
    promote(api, 2)
    promote(api, 9)
    api.post(f"{MODEL}/rollback")
    api.put(f"{MODEL}/deployments/embedded", {"is_active": False}, "application/json")
    with tenancy.scope(cast.acme.pk):
        events = list(ModelEvent.objects.values_list("offset", "type", "version", "architecture"))
        sha256 = Version.objects.get(number=1).bundle_sha256
        assert ModelEvent.objects.get(offset=3).sha256 == sha256
    assert events == [
        (1, "promoted", 1, ""),
        (2, "promoted", 2, ""),
        (3, "rolled_back", 1, ""),
        (4, "retired", 1, "embedded"),
    ]


def test_each_organisation_counts_for_itself(api: Client, cast: Cast) -> None:
    promote(api, 1)
    pipelines.publish(cast.other, "wages", pipelines.wages())
    with tenancy.scope(cast.other.pk):
        assert list(ModelEvent.objects.values_list("offset", flat=True)) == [1]


def test_each_deed_leaves_an_audit_entry(api: Client, cast: Cast) -> None:
    promote(api, 1)
    promote(api, 2)
    api.post(f"{MODEL}/rollback")
    with tenancy.scope(cast.acme.pk):
        entries = AuditEntry.objects.filter(action__in=["model.promoted", "model.rolled_back"])
        told = [(e.action, e.detail["version"], e.detail["before"]) for e in entries.order_by("id")]
    assert told == [
        ("model.promoted", 1, None),
        ("model.promoted", 2, 1),
        ("model.rolled_back", 1, 2),
    ]


def test_a_promotion_takes_effect_within_the_time_it_may_take(api: Client) -> None:
    def answering() -> int:
        body = {"instances": pipelines.wages().instances(1)}
        answer = api.post(f"{MODEL}/predict", body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        return int(answer.json()["version"])

    promote(api, 1)
    assert answering() == 1
    promote(api, 2)
    until = time.monotonic() + settings.LIVE_TTL + 0.5
    while answering() != 2:
        assert time.monotonic() < until
        time.sleep(0.05)
