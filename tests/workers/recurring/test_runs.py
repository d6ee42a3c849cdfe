"""Recurring jobs: each slot runs once, whoever looks and whatever dies."""

import re
import shlex
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection
from django.test import Client

from models_hub import storage
from models_hub.models import Deployment, Version
from models_hub.quota import stored_bytes
from portal import tenancy, turns
from portal.errors import Unavailable
from portal.models import AuditEntry
from tests.cast import Cast
from tests.instance import ROOT
from tests.workers.recurring.conftest import PLAN, Make, long_ago, people
from workers import batch, tasks
from workers.models import Job, Run, Schedule
from workers.recurring import running, sources
from workers.recurring.plans import FIELDS

pytestmark = [
    pytest.mark.django_db(databases=["default", "owner"]),
    pytest.mark.usefixtures("no_bell"),
]


def runs(api: Client, schedule: Any) -> list[Any]:
    items: list[Any] = api.get(f"/api/v1/schedules/{schedule['id']}/runs").json()["items"]
    return items


def test_a_slot_becomes_a_job_that_is_scored(api: Client, cast: Cast, make: Make) -> None:
    schedule = make(key="id")
    slot = long_ago(cast, schedule)
    tasks.recur()
    (run,) = runs(api, schedule)
    assert (run["status"], datetime.fromisoformat(run["slot"])) == ("started", slot)
    batch.drain()
    job = api.get(f"/api/v1/jobs/{run['job']}").json()
    assert (job["status"], job["rows_total"], job["key"]) == ("succeeded", 3, "id")
    assert job["created_by"] == schedule["created_by"]
    assert runs(api, schedule)[0]["job_status"] == "succeeded"


def test_the_next_run_is_shown_by_the_clock_of_its_zone(make: Make) -> None:
    shown = datetime.fromisoformat(make()["next_run"]).astimezone(ZoneInfo("Europe/Berlin"))
    assert (shown.hour, shown.minute) in [(2, 30), (3, 0)]
    assert timedelta() < shown - datetime.now(UTC) <= timedelta(days=1, hours=1)


def test_nothing_runs_before_its_hour(api: Client, cast: Cast, make: Make) -> None:
    schedule = make()
    tasks.recur()
    assert runs(api, schedule) == []
    assert turns.Kind.RECUR not in turns.waiting_kinds()
    long_ago(cast, schedule)
    assert turns.Kind.RECUR in turns.waiting_kinds()


def test_of_the_slots_that_were_missed_only_the_latest_runs(
    api: Client, cast: Cast, make: Make
) -> None:
    schedule = make()
    long_ago(cast, schedule, days=3.5)
    tasks.recur()
    states = [run["status"] for run in runs(api, schedule)]
    assert states[0] == "started"
    assert set(states[1:]) == {"skipped"}
    assert len(states) in (4, 5)
    assert api.get("/api/v1/jobs").json()["items"][0]["filename"] == "people.csv"
    assert len(api.get("/api/v1/jobs").json()["items"]) == 1
    after = api.get(f"/api/v1/schedules/{schedule['id']}").json()["next_run"]
    assert datetime.fromisoformat(after) > datetime.now(UTC)


def test_a_second_bell_starts_nothing_more(api: Client, cast: Cast, make: Make) -> None:
    schedule = make()
    long_ago(cast, schedule)
    tasks.recur()
    tasks.recur()
    assert len(runs(api, schedule)) == 1


def test_the_database_holds_no_second_run_of_a_slot(cast: Cast, make: Make) -> None:
    schedule, slot = make(), datetime(2026, 1, 1, tzinfo=UTC)
    with tenancy.scope(cast.acme.pk):
        Run.objects.create(schedule_id=schedule["id"], slot=slot, state="started")
    with pytest.raises(IntegrityError, match="one_run_per_slot"), tenancy.scope(cast.acme.pk):
        Run.objects.create(schedule_id=schedule["id"], slot=slot, state="started")


def test_a_slot_that_ran_already_does_not_run_again(api: Client, cast: Cast, make: Make) -> None:
    """As after a plan that was changed and changed back within its minute."""
    schedule = make()
    slot = long_ago(cast, schedule)
    tasks.recur()
    with tenancy.scope(cast.acme.pk):
        Schedule.objects.update(next_slot=slot)
        turns.announce(turns.Kind.RECUR)
    tasks.recur()
    assert len(runs(api, schedule)) == 1


def test_what_dies_before_its_commit_has_run_nothing(
    api: Client, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = make()
    long_ago(cast, schedule)
    with monkeypatch.context() as patched:
        patched.setattr(Schedule, "save", lambda *a, **k: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            running.run_due()
    assert runs(api, schedule) == []
    assert api.get("/api/v1/jobs").json()["items"] == []
    tasks.recur()
    assert len(runs(api, schedule)) == 1


def test_the_live_version_of_the_hour_scores_unless_one_is_fixed(
    api: Client, cast: Cast, make: Make, salary: Version
) -> None:
    with tenancy.scope(cast.acme.pk):
        newer = Version.objects.get(pk=salary.pk)
        newer.pk, newer.number, newer._state.adding = None, 2, True
        newer.id = salary.model.pk  # any new id
        newer.save(force_insert=True)
    live, fixed = make(), make(version="1")
    api.post("/api/v1/models/salary/versions/2/promote")
    for schedule in (live, fixed):
        long_ago(cast, schedule)
    tasks.recur()
    found = {
        schedule["id"]: api.get(f"/api/v1/jobs/{runs(api, schedule)[0]['job']}").json()["version"]
        for schedule in (live, fixed)
    }
    assert found == {live["id"]: 2, fixed["id"]: 1}


def test_a_run_that_can_not_start_says_why_and_the_next_one_is_due(
    api: Client, cast: Cast, make: Make
) -> None:
    schedule = make()
    with tenancy.scope(cast.acme.pk):
        Deployment.objects.filter(architecture="offline").update(is_active=False)
    long_ago(cast, schedule)
    tasks.recur()
    (run,) = runs(api, schedule)
    assert (run["status"], run["job"]) == ("refused", None)
    assert "switched off" in run["detail"]
    assert api.get("/api/v1/jobs").json()["items"] == []
    assert api.get(f"/api/v1/schedules/{schedule['id']}").json()["next_run"]


def test_a_source_that_is_away_is_asked_again_and_holds_up_no_other(
    api: Client, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make(), make(name="Other")
    long_ago(cast, first, days=0.2)
    long_ago(cast, second)
    with tenancy.scope(cast.acme.pk):
        Schedule.objects.filter(pk=first["id"]).update(source={"kind": "away"})

    def away(source: Any) -> sources.Found:
        raise Unavailable("The bucket is away.")

    monkeypatch.setitem(sources.SOURCES, "away", away)
    tasks.recur()
    assert (len(runs(api, first)), len(runs(api, second))) == (0, 1)
    assert turns.Kind.RECUR in turns.waiting_kinds()
    monkeypatch.setitem(
        sources.SOURCES, "away", lambda source: sources.Found("new.csv", "csv", "0" * 64, 1)
    )
    tasks.recur()
    assert len(runs(api, first)) == 1


def test_a_paused_one_waits_and_makes_up_for_nothing(api: Client, cast: Cast, make: Make) -> None:
    address = f"/api/v1/schedules/{make()['id']}"
    paused = api.post(f"{address}/pause").json()
    assert (paused["paused"], paused["next_run"]) == (True, None)
    with tenancy.scope(cast.acme.pk):
        turns.announce(turns.Kind.RECUR)
    tasks.recur()
    resumed = api.post(f"{address}/resume").json()
    assert datetime.fromisoformat(resumed["next_run"]) > datetime.now(UTC)
    assert api.get(f"{address}/runs").json()["items"] == []


def test_one_is_started_by_hand_beside_its_timetable(api: Client, make: Make) -> None:
    schedule = make()
    answer = api.post(f"/api/v1/schedules/{schedule['id']}/runs")
    assert answer.status_code == 202
    assert [run["job"] for run in runs(api, schedule)] == [answer.json()["id"]]
    again = api.get(f"/api/v1/schedules/{schedule['id']}").json()
    assert again["next_run"] == schedule["next_run"]


def test_a_plan_is_changed_and_a_file_replaced(api: Client, cast: Cast, make: Make) -> None:
    address = f"/api/v1/schedules/{make()['id']}"
    plan = {"name": "New", "every": "month", "day": 31, "at": "06:00", "zone": "Asia/Tokyo"}
    changed = api.put(address, plan, content_type="application/json").json()
    assert (changed["every"], changed["day"], changed["zone"]) == ("month", 31, "Asia/Tokyo")
    before = stored_now(cast)
    replaced = api.post(f"{address}/file", {"file": people(400)})
    assert replaced.status_code == 200
    assert stored_now(cast) > before
    job = api.post(f"{address}/runs").json()
    batch.drain()
    assert api.get(f"/api/v1/jobs/{job['id']}").json()["rows_total"] == 400


def stored_now(cast: Cast) -> int:
    with tenancy.scope(cast.acme.pk):
        return stored_bytes()


def test_a_file_that_is_scored_each_night_takes_its_room_once(
    api: Client, cast: Cast, make: Make
) -> None:
    schedule = make()
    address = f"/api/v1/schedules/{schedule['id']}/runs"
    api.post(address)
    batch.drain()
    once = stored_now(cast)
    for _ in range(3):
        api.post(address)
    batch.drain()
    assert stored_now(cast) == once


def test_deleting_one_keeps_its_jobs_and_lets_an_unused_file_go(
    api: Client, cast: Cast, make: Make
) -> None:
    used, unused = make(), make(name="Unused")
    api.post(f"/api/v1/schedules/{unused['id']}/file", {"file": people(7)})
    with tenancy.scope(cast.acme.pk):
        sha256 = Schedule.objects.get(pk=unused["id"]).source["sha256"]
    job = api.post(f"/api/v1/schedules/{used['id']}/runs").json()
    for schedule in (used, unused):
        assert api.delete(f"/api/v1/schedules/{schedule['id']}").status_code == 204
        assert api.get(f"/api/v1/schedules/{schedule['id']}").status_code == 404
    batch.drain()
    assert api.get(f"/api/v1/jobs/{job['id']}").json()["status"] == "succeeded"
    with pytest.raises(Unavailable):
        storage.open_stored(cast.acme.pk, sha256)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("every", "hour"),
        ("at", "24:00"),
        ("at", "9:00"),
        ("zone", "Berlin"),
        ("zone", "../UTC"),
        ("weekday", "someday"),
        ("day", "32"),
        ("version", "live-one"),
        ("mail", "maybe"),
    ],
)
def test_a_plan_that_is_off_is_refused_beside_its_field(
    api: Client, field: str, value: str
) -> None:
    every = {"weekday": "week", "day": "month"}.get(field, "day")
    plan = {"file": people(), **PLAN, "every": every, field: value}
    answer = api.post("/api/v1/models/salary/schedules", plan)
    assert answer.status_code == 422, answer.content
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]


def test_the_fields_that_the_guide_prints_are_taken(api: Client) -> None:
    guide = (ROOT / "docs" / "recurring.md").read_text()
    (call,) = re.findall(r"curl .*?[^\\]\n", guide, re.DOTALL)
    parts = [part for part in shlex.split(call) if re.fullmatch(r"\w+=.*", part)]
    fields = dict(part.split("=", 1) for part in parts)
    assert fields.pop("file") == "@people.csv"
    form = {"file": people(), **fields}
    answer = api.post("/api/v1/models/salary/schedules", form)
    assert answer.status_code == 201, answer.content
    assert (answer.json()["every"], answer.json()["day"]) == ("month", 31)
    named = set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE))
    assert named >= set(FIELDS) - {"name"}


def test_the_same_post_twice_is_one_recurring_job(api: Client) -> None:
    def send() -> Any:
        return api.post(
            "/api/v1/models/salary/schedules",
            {"file": people(), **PLAN},
            headers={"Idempotency-Key": "once"},
        ).json()

    assert send() == send()
    assert len(api.get("/api/v1/schedules").json()["items"]) == 1


def test_each_deed_stands_in_the_audit_log(api: Client, cast: Cast, make: Make) -> None:
    address = f"/api/v1/schedules/{make()['id']}"
    for deed in ("pause", "resume"):
        api.post(f"{address}/{deed}")
    api.delete(address)
    with tenancy.scope(cast.acme.pk):
        entries = AuditEntry.objects.filter(action__startswith="schedule.").order_by("id")
        assert [entry.action.split(".")[1] for entry in entries] == [
            "created",
            "paused",
            "resumed",
            "deleted",
        ]


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_workers_that_race_for_a_slot_start_it_once(api: Client, cast: Cast, make: Make) -> None:
    schedules = [make(name=f"n{number}") for number in range(3)]
    for schedule in schedules:
        long_ago(cast, schedule, days=1.5)
    line = threading.Barrier(4)

    def race() -> None:
        line.wait()
        try:
            running.run_due()
        finally:
            connection.close()

    racers = [threading.Thread(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    with tenancy.scope(cast.acme.pk):
        assert Job.objects.count() == 3
        started = Run.objects.filter(state=Run.State.STARTED)
        assert started.count() == 3
        assert Run.objects.count() > 3  # the slot of the day before was skipped
