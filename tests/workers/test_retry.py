"""The rows that failed: taken home, mended and sent again, or tried once more as they are."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from models_hub.models import Version
from models_hub.quota import stored_bytes
from portal import tenancy, turns
from tests.cast import Cast
from workers import batch, purging
from workers.keeping import drop_inputs
from workers.models import Job, Leftover

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]
V1 = "/api/v1"
CONTENT = (
    b"id,experience,education,region,=note\n"
    b"a,1,12,east,x\n"
    b"b,many,12,east,=1+1\n"
    b"c,3,12,west,x\n"
    b"d,4,12\n"
    b"e,few,12,east,-5.5\n"
)


def errors_of(api: Client, job: Any) -> str:
    answer = api.get(f"{V1}/jobs/{job['id']}/errors")
    assert answer["Content-Disposition"] == 'attachment; filename="people-errors.csv"'
    return b"".join(answer).decode()


def test_failed_rows_come_with_their_own_columns_and_the_error(run: Run, api: Client) -> None:
    lines = errors_of(api, run(CONTENT, key="id")).splitlines()
    assert lines[0] == "id,experience,education,region,'=note,error"
    assert lines[1].startswith("b,many,12,east,'=1+1,")
    assert "must be a number" in lines[1]
    assert lines[2].endswith('"This row has 3 cells, the header has 5."')
    assert lines[3].startswith("e,few,12,east,-5.5,")
    assert len(lines) == 4


def test_mended_rows_are_sent_as_a_job_of_just_these(
    run: Run, api: Client, rows: Callable[..., list[Any]]
) -> None:
    first = run(CONTENT, key="id")
    mended = errors_of(api, first).replace("many", "2").replace("few", "5")
    again = run(mended.encode(), key="id", retry_of=first["id"])
    assert (again["retry_of"], again["rows_total"]) == (first["id"], 3)
    assert [row["key"] for row in rows(again) if row["error"] is None] == ["b", "e"]
    result = b"".join(api.get(f"{V1}/jobs/{again['id']}/result")).decode()
    assert result.splitlines()[0] == "id,experience,education,region,'=note,prediction,error"
    assert result.splitlines()[1].startswith("b,2,12,east,'=1+1,")


def test_failed_rows_are_tried_again_as_they_were_read(
    run: Run, api: Client, rows: Callable[..., list[Any]]
) -> None:
    first = run(CONTENT, key="id")
    answer = api.post(f"{V1}/jobs/{first['id']}/retry")
    assert (answer.status_code, answer.json()["retry_of"]) == (202, first["id"])
    batch.drain()
    again = api.get(answer["Location"]).json()
    assert (again["status"], again["rows_total"], again["rows_failed"]) == ("partial", 3, 3)
    assert [row["key"] for row in rows(again)] == ["b", "d", "e"]
    assert rows(again)[1]["error"] == "This row has 3 cells, the header has 5."


def test_retries_of_different_jobs_take_room_of_their_own(
    run: Run, api: Client, cast: Cast
) -> None:
    parents = [run(CONTENT.replace(b"many", word)) for word in (b"lots", b"none")]
    grown = [room(cast)]
    for parent in (*parents, parents[0]):
        api.post(f"{V1}/jobs/{parent['id']}/retry")
        batch.drain()
        grown.append(room(cast))
    first, second, third, again = grown
    assert first < second < third
    assert again == third  # the same rows, which are stored once


def room(cast: Cast) -> int:
    with tenancy.scope(cast.acme.pk):
        return stored_bytes()


def test_the_same_idempotency_key_retries_once(run: Run, api: Client) -> None:
    job = run(CONTENT)
    sent = [
        api.post(f"{V1}/jobs/{job['id']}/retry", headers={"Idempotency-Key": "k"}).json()["id"]
        for _ in range(2)
    ]
    assert sent[0] == sent[1]
    batch.drain()


def test_it_refuses_a_retry_where_nothing_failed_or_all_goes_on(
    run: Run, submit: Run, api: Client
) -> None:
    done = run(b"id,experience,education,region\na,1,12,east\n")
    answer = api.post(f"{V1}/jobs/{done['id']}/retry")
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/nothing_failed")
    waiting = submit(CONTENT)
    for answer in (
        api.post(f"{V1}/jobs/{waiting['id']}/retry"),
        api.get(f"{V1}/jobs/{waiting['id']}/errors"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/job_not_ended")
    batch.drain()


def test_a_retry_of_another_organisations_job_is_not_found(
    run: Run, api: Client, cast: Cast, salary: Version
) -> None:
    job = run(CONTENT)
    charlie = cast.api(organisation=cast.other)
    assert charlie.post(f"{V1}/jobs/{job['id']}/retry").status_code == 404
    assert charlie.get(f"{V1}/jobs/{job['id']}/errors").status_code == 404


def forget_rows_of(cast: Cast, job: Any) -> None:
    with tenancy.scope(cast.acme.pk):
        drop_inputs(Job.objects.get(pk=job["id"]))


def test_failed_rows_that_are_not_kept_are_neither_sent_nor_tried_again(
    run: Run, api: Client, cast: Cast
) -> None:
    job = run(CONTENT, key="id")
    forget_rows_of(cast, job)
    address = f"{V1}/jobs/{job['id']}"
    for answer in (api.get(f"{address}/errors"), api.post(f"{address}/retry")):
        assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/inputs_gone")


def test_a_retry_whose_rows_go_before_it_read_them_fails_and_says_so(
    run: Run, api: Client, cast: Cast
) -> None:
    first = run(CONTENT, key="id")
    answer = api.post(f"{V1}/jobs/{first['id']}/retry")
    forget_rows_of(cast, first)
    batch.drain()
    again = api.get(answer["Location"]).json()
    assert (again["status"], again["error"]["code"]) == ("failed", "inputs_gone")


def test_a_retry_has_no_file_of_its_own_to_remove(run: Run, api: Client, cast: Cast) -> None:
    first = run(CONTENT, key="id")
    again = api.post(f"{V1}/jobs/{first['id']}/retry").json()
    batch.drain()
    for job in (first, again):
        assert api.delete(f"{V1}/jobs/{job['id']}").status_code == 204
    purging.drain()
    assert turns.waiting_kinds() == []
    with tenancy.scope(cast.acme.pk):
        assert not Leftover.objects.exists()
