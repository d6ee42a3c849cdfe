"""The predictions database in partitions: who gets one, who sees into it, and how it goes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from django.test import Client

from portal import tenancy, turns
from tests.cast import Cast
from tests.workers.conftest import table
from workers import purging, shelves
from workers.keeping import drop_inputs
from workers.models import Job, JobRow, Shelf

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty rows are a large job."""
    monkeypatch.setattr(shelves, "OWN_SHELF_ROWS", 40)


def csv(count: int = 40) -> bytes:
    data: bytes = table(count).to_csv(index=False).encode()
    return data


def partitions() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'workers_jobrow'::regclass ORDER BY inhrelid"
        )
        return [name for (name,) in cursor.fetchall()]


@pytest.fixture
def before(db: None) -> list[str]:
    """The partitions there are: tests that commit and are rolled back by emptying leave theirs."""
    return partitions()


def shelf_of(cast: Cast) -> Shelf:
    with tenancy.scope(cast.acme.pk):
        return Shelf.objects.get()


def test_a_large_job_has_a_shelf_of_its_own_and_small_ones_share(
    large: None, before: list[str], run: Run, rows: Callable[..., list[Any]], cast: Cast
) -> None:
    small, big = run(csv(39)), run(csv(40), key="id")
    assert partitions() == [*before, f"workers_jobrow_{shelf_of(cast).number}"]
    assert (small["status"], big["status"]) == ("succeeded", "succeeded")
    assert (len(rows(small)), len(rows(big))) == (39, 40)
    assert [row["row"] for row in rows(big, key="p7")] == [7]
    with tenancy.scope(cast.acme.pk):
        kept = JobRow.objects.filter(job_id=big["id"]).values_list("shelf", flat=True)
        assert set(kept) == {shelf_of(cast).number}


def test_a_job_split_twice_by_a_late_worker_gets_one_shelf(
    large: None, before: list[str], run: Run, cast: Cast
) -> None:
    job = run(csv())
    with (
        pytest.raises(DatabaseError, match="no such job"),
        tenancy.scope(cast.acme.pk),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT workers_own_shelf(%s)", [job["id"]])
    assert len(partitions()) == len(before) + 1


def test_a_question_about_a_job_looks_at_its_shelf_alone(large: None, run: Run, cast: Cast) -> None:
    for _ in range(3):
        run(csv())
    with tenancy.scope(cast.acme.pk):
        number = Shelf.objects.order_by("number")[1].number
        plan = JobRow.objects.filter(shelf=number, key="p7").explain()
    assert set(re.findall(r"workers_jobrow_(\d+)", plan)) == {str(number)}


def test_each_shelf_is_walled_in_and_shows_nothing_by_its_own_name(
    large: None, before: list[str], run: Run, cast: Cast
) -> None:
    run(csv())
    assert len(partitions()) == len(before) + 1
    with tenancy.scope(cast.acme.pk), connection.cursor() as cursor:
        for name in partitions():
            cursor.execute(f"SELECT count(*) FROM {name}")
            assert cursor.fetchone() == (0,)
            cursor.execute(
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = %s",
                [name],
            )
            assert cursor.fetchone() == (True, True)
        cursor.execute("SELECT count(*) FROM workers_jobrow")
        assert cursor.fetchone() == (40,)
    with tenancy.scope(cast.other.pk), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM workers_jobrow")
        assert cursor.fetchone() == (0,)


def test_another_organisation_can_neither_make_nor_drop_nor_fill_a_shelf(
    large: None, run: Run, api: Client, cast: Cast
) -> None:
    job = run(csv())
    number = shelf_of(cast).number
    assert api.delete(f"/api/v1/jobs/{job['id']}").status_code == 204
    again = run(csv())
    attempts = [
        ("SELECT workers_own_shelf(%s)", [again["id"]], "no such job"),
        ("SELECT workers_drop_shelf(%s)", [number], "no such shelf"),
        (
            "INSERT INTO workers_jobrow (organisation_id, job_id, shelf, row) VALUES (%s,%s,%s,99)",
            [cast.other.pk, again["id"], number],
            "violates check constraint",
        ),
    ]
    for statement, values, refusal in attempts:
        with (
            pytest.raises(DatabaseError, match=refusal),
            tenancy.scope(cast.other.pk),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)


def test_a_shelf_in_use_is_not_dropped(large: None, run: Run, cast: Cast) -> None:
    run(csv())
    with (
        pytest.raises(DatabaseError, match="no such shelf"),
        tenancy.scope(cast.acme.pk),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT workers_drop_shelf(%s)", [shelf_of(cast).number])


def test_a_shelf_goes_with_its_job_and_leaves_nothing(
    large: None, before: list[str], run: Run, api: Client, cast: Cast
) -> None:
    job = run(csv())
    assert api.delete(f"/api/v1/jobs/{job['id']}").status_code == 204
    purging.drain()
    assert partitions() == before
    with tenancy.scope(cast.acme.pk):
        assert not Shelf.objects.exists()


def test_a_shelf_goes_too_where_no_inputs_are_left_to_remove(
    large: None, before: list[str], run: Run, api: Client, cast: Cast
) -> None:
    job = run(csv())
    with tenancy.scope(cast.acme.pk):
        drop_inputs(Job.objects.get())
    purging.drain()
    assert api.delete(f"/api/v1/jobs/{job['id']}").status_code == 204
    assert turns.waiting_kinds() == [turns.Kind.PURGE]
    purging.drain()
    assert partitions() == before


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_a_shelf_that_somebody_reads_is_dropped_later(
    large: None, before: list[str], run: Run, api: Client, cast: Cast
) -> None:
    job = run(csv())
    assert api.delete(f"/api/v1/jobs/{job['id']}").status_code == 204
    reader = connections["owner"]
    reader.set_autocommit(False)
    try:
        with reader.cursor() as cursor:
            cursor.execute("LOCK TABLE workers_jobrow IN ACCESS SHARE MODE")
        purging.drain()
        assert shelf_of(cast).job_id is None
        reader.rollback()
    finally:
        reader.set_autocommit(True)
    purging.drain()
    assert partitions() == before


def test_only_the_application_may_call_the_owners_functions(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proacl::text FROM pg_proc WHERE proname IN"
            " ('workers_own_shelf', 'workers_drop_shelf')"
        )
        found = [acl for (acl,) in cursor.fetchall()]
    assert len(found) == 2
    for acl in found:
        assert not any(entry.startswith("=") for entry in acl.strip("{}").split(","))
