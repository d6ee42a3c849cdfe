"""Jobs as people see them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal import tenancy
from portal.models import Membership, Role
from tests.cast import Cast
from workers import batch

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]
CONTENT = b"id,experience,education,region\nann,10,12,east\nben,many,12,east\n"


def send(client: Client, content: bytes = CONTENT, **more: Any) -> Any:
    body = {"file": SimpleUploadedFile("people.csv", content), "version": "salary 1", **more}
    return client.post("/jobs/new", body)


def test_a_file_is_sent_watched_and_taken_home(bob: Client) -> None:
    assert "No jobs yet" in bob.get("/jobs").text
    assert "Salary, version 1 (live)" in bob.get("/jobs/new").text
    address = send(bob, key="id")["Location"]
    waiting = bob.get(address).text
    assert "Waiting for a worker" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    batch.drain()
    over = bob.get(f"{address}/progress").text
    assert "hx-trigger" not in over
    assert "The job has ended: partly scored." in over
    assert "but it is &quot;many&quot;" in over
    assert "<td>ben</td>" in over
    result = b"".join(bob.get(f"{address}/result?format=csv")).decode()
    assert result.splitlines()[0] == "id,experience,education,region,prediction,error"
    listed = bob.get("/jobs?model=salary").text
    assert "2 of 2 rows, 1 with an error" in listed


def test_a_script_gets_the_address_or_the_problem_as_json(bob: Client) -> None:
    wants = {"accept": "application/json"}
    file = SimpleUploadedFile("people.csv", CONTENT)
    answer = bob.post("/jobs/new", {"file": file, "version": "salary 1"}, headers=wants)
    assert (answer.status_code, answer.json()["location"][:6]) == (201, "/jobs/")
    answer = bob.post("/jobs/new", {"version": "salary 1"}, headers=wants)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/file")


def test_a_refusal_stands_beside_its_field(bob: Client) -> None:
    file = SimpleUploadedFile("people.xlsx", b"PK")
    answer = bob.post("/jobs/new", {"file": file, "version": "salary 1"})
    assert answer.status_code == 422
    assert "must end in .csv, .parquet or .jsonl" in answer.text
    assert "Choose a version." in send(bob, version="").text


def test_a_job_is_cancelled_and_resumed_by_its_buttons(bob: Client) -> None:
    address = send(bob)["Location"]
    assert "Resume" in bob.post(f"{address}/cancel", follow=True).text
    assert "Cancel the job" in bob.post(f"{address}/resume", follow=True).text
    batch.drain()
    assert "Partly scored" in bob.get(address).text


def test_a_failed_job_says_why(bob: Client) -> None:
    address = send(bob, b"experience,region\n1,east\n")["Location"]
    batch.drain()
    assert "The file lacks the column “education”" in bob.get(address).text


def test_viewers_see_jobs_and_start_none(bob: Client, cast: Cast) -> None:
    address = send(bob)["Location"]
    with tenancy.scope(cast.acme.pk):
        Membership.objects.filter(user=cast.bob).update(role=Role.VIEWER)
    assert "Cancel the job" not in bob.get(address).text
    assert bob.get("/jobs/new").status_code == 403
    assert bob.post(f"{address}/cancel").status_code == 403


def test_outsiders_see_nothing(bob: Client, cast: Cast) -> None:
    address = send(bob)["Location"]
    charlie = cast.browser(cast.charlie)
    assert charlie.get(address).status_code == 404
    assert charlie.get(f"{address}/progress").status_code == 404
    assert charlie.get(f"{address}/result").status_code == 404
    assert charlie.post(f"{address}/cancel").status_code == 404
    assert "people.csv" not in charlie.get("/jobs").text


def test_names_and_cells_are_escaped(bob: Client) -> None:
    content = CONTENT.replace(b"ann", b"<b>ann</b>").replace(b"id,", b"<i>id</i>,")
    address = send(bob, content)["Location"]
    batch.drain()
    text = bob.get(address).text
    assert "&lt;b&gt;ann" in text
    assert "<b>ann" not in text
