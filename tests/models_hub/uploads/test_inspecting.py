"""Who inspects an upload: claims and leases, and what becomes of a version when a worker fails."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from models_hub import inspection, sandbox
from models_hub.formats import Refused
from models_hub.models import Version
from portal import tenancy
from portal.errors import Unavailable
from portal.models import AuditEntry
from portal.turns import Kind
from tests.cast import Cast
from tests.models_hub.uploads.conftest import PAGE, VERSIONS, Upload
from workers import tasks
from workers.certifying import certify

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def test_all_that_waits_is_inspected(upload: Upload, api: Client, quick: list[int]) -> None:
    for _ in range(3):
        upload()
    tasks.inspect()
    assert {v["status"] for v in api.get(VERSIONS).json()["items"]} == {"ready"}
    assert len(quick) == 3
    tasks.inspect()
    assert len(quick) == 3


def claim(cast: Cast) -> Version | None:
    with tenancy.scope(cast.acme.pk):
        return inspection.claim()


def expire_leases(cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk), connection.cursor() as cursor:
        cursor.execute("UPDATE models_hub_version SET lease_until = now() - interval '1 day'")


def seconds_left(version: Version) -> float:
    """Until it may be claimed again."""
    assert version.lease_until is not None
    return (version.lease_until - timezone.now()).total_seconds()


def test_a_leased_version_is_claimed_by_nobody_else(upload: Upload, cast: Cast) -> None:
    upload()
    assert claim(cast) is not None
    assert claim(cast) is None


def test_a_dead_workers_version_is_taken_up_and_refused_after_three_attempts(
    upload: Upload, api: Client, quick: list[int], cast: Cast
) -> None:
    upload()
    for attempt in (1, 2, 3):
        version = claim(cast)
        assert version is not None
        assert version.attempt == attempt
        expire_leases(cast)
    tasks.inspect()
    ended = api.get(f"{VERSIONS}/1").json()
    assert (ended["status"], ended["refusal"]["code"]) == ("refused", "inspection_crashed")
    assert not quick


def test_a_storage_that_is_away_counts_as_no_attempt(
    upload: Upload, api: Client, quick: list[int], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise Unavailable("The storage can't be reached just now.")

    upload()
    with monkeypatch.context() as patched:
        patched.setattr("models_hub.inspection.storage.local_copy", away)
        for _ in range(5):
            tasks.inspect()
            expire_leases(cast)
    assert api.get(f"{VERSIONS}/1").json()["status"] == "inspecting"
    tasks.inspect()
    assert api.get(f"{VERSIONS}/1").json()["status"] == "ready"


def test_an_unforeseen_error_gives_the_version_back_and_is_refused_the_third_time(
    upload: Upload, api: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def inspect(*args: Any, **more: Any) -> None:
        tried.append(1)
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(sandbox, "inspect", inspect)
    upload()
    tasks.inspect()
    with tenancy.scope(cast.acme.pk):
        assert seconds_left(Version.objects.get()) < 30
    for _ in range(2):
        expire_leases(cast)
        tasks.inspect()
    ended = api.get(f"{VERSIONS}/1").json()
    assert (ended["status"], ended["refusal"]["code"]) == ("refused", "inspection_crashed")
    assert len(tried) == 3


def test_a_file_waits_for_a_sandbox_and_its_page_says_so_and_is_refused_after_an_hour(
    upload: Upload,
    api: Client,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def inspect(*args: Any, **more: Any) -> None:
        raise sandbox.NoSandbox("No permissions to create new namespace.")

    monkeypatch.setattr(sandbox, "inspect", inspect)
    upload()
    pauses = []
    for _ in range(5):
        tasks.inspect()
        with tenancy.scope(cast.acme.pk):
            version = Version.objects.get()
        assert (version.status, version.attempt) == ("inspecting", 0)
        pauses.append(round(seconds_left(version), -1))
        expire_leases(cast)
    assert pauses == [10, 20, 40, 60, 60]
    browser = cast.browser(cast.alice)
    page = browser.get(PAGE).content.decode()
    assert "Waits for a worker with a working sandbox" in page
    assert "No permissions to create new namespace." in page
    with tenancy.scope(cast.acme.pk):
        long_ago = (timezone.now() - inspection.MOST_WAITING).isoformat()
        waiting = {**version.report["waiting"], "since": long_ago}
        Version.objects.update(report={**version.report, "waiting": waiting})
    tasks.inspect()
    ended = api.get(f"{VERSIONS}/1").json()
    assert (ended["status"], ended["refusal"]["code"]) == ("refused", "sandbox_unavailable")
    assert "Waits for a worker" not in browser.get(PAGE).content.decode()


def test_each_stage_holds_the_lease_for_the_next(
    upload: Upload, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[Version | None] = []

    def inspect(*args: Any, on_stage: Any, **more: Any) -> None:
        expire_leases(cast)
        on_stage("inspected", "done", "", 0.1)
        others.append(claim(cast))
        raise Refused("no_pipeline", "That is enough.")

    monkeypatch.setattr(sandbox, "inspect", inspect)
    upload()
    tasks.inspect()
    assert others == [None]


def test_a_long_queue_is_inspected_in_slices(
    upload: Upload, api: Client, quick: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[Any] = []
    monkeypatch.setattr("portal.turns.ring", rung.append)
    monkeypatch.setattr("portal.turns.SLICE_SECONDS", 0.0)
    for _ in range(2):
        upload()
    tasks.inspect()
    assert (len(quick), rung) == (1, [Kind.INSPECT])


def test_a_worker_that_was_overtaken_changes_nothing(
    upload: Upload, api: Client, quick: list[int], cast: Cast
) -> None:
    upload()
    slow = claim(cast)
    assert slow is not None
    expire_leases(cast)
    tasks.inspect()
    done = api.get(f"{VERSIONS}/1").json()
    assert done["status"] == "ready"
    inspection.inspect(slow, certify)
    assert api.get(f"{VERSIONS}/1").json() == done
    with tenancy.scope(cast.acme.pk):
        assert AuditEntry.objects.filter(action="version.sealed").count() == 1
