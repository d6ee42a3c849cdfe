"""Recurring jobs and webhooks as people see them."""

import re
from typing import Any

import pytest
from django.test import Client

from models_hub.models import Version
from portal import tenancy
from portal.models import Membership, Role
from tests.cast import Cast
from tests.workers.recurring.conftest import PLAN, people
from workers import batch

pytestmark = [
    pytest.mark.django_db(databases=["default", "owner"]),
    pytest.mark.usefixtures("no_bell"),
]
HOOK = {"url": "https://hr.example.com/berth", "events": ["job.failed"]}


@pytest.fixture
def alice(cast: Cast, salary: Version) -> Client:
    return cast.browser(cast.alice)


def send(client: Client, address: str = "/schedules/new", **more: Any) -> Any:
    return client.post(address, {"file": people(), "model": "salary", **PLAN, "mail": "on", **more})


def test_one_is_made_run_by_hand_rested_and_deleted(bob: Client) -> None:
    assert "No recurring jobs yet" in bob.get("/schedules").text
    assert "Salary, the live version of the time" in bob.get("/schedules/new").text
    address = send(bob)["Location"]
    page = bob.get(address).text
    assert "Each day at 02:30, Europe/Berlin" in page
    assert re.search(r"0[23]:[03]0 in Europe/Berlin", page)
    assert "None yet." in page
    job = bob.post(f"{address}/run")["Location"]
    batch.drain()
    page = bob.get(address).text
    assert f'href="{job}"' in page
    assert "Succeeded" in page
    assert "none while it is paused" in bob.post(f"{address}/pause", follow=True).text
    assert "Active" in bob.post(f"{address}/resume", follow=True).text
    assert "No recurring jobs yet" in bob.post(f"{address}/delete", follow=True).text
    assert bob.get(job).status_code == 200


def test_a_plan_and_a_file_are_changed_in_one_form(bob: Client) -> None:
    address = send(bob)["Location"]
    form = bob.get(f"{address}/edit").text
    assert "Instead of people.csv." in form
    assert re.search(r'value="02:30"', form)
    plan = {**PLAN, "every": "month", "day": "31", "model": "salary 1", "file": people(9)}
    page = bob.post(f"{address}/edit", plan, follow=True).text
    assert "Each month on day 31 (or the month’s last) at 02:30, Europe/Berlin" in page
    assert "version 1" in page
    assert "nobody is told by mail" in page  # the box was not ticked


def test_what_is_off_is_told_beside_its_field_and_nothing_is_made(bob: Client) -> None:
    answer = send(bob, name="", zone="Berlin", at="25:00")
    assert answer.status_code == 422
    for told in ("A name has 1 to 120 characters.", "IANA time zone", "a time of day such as"):
        assert told in answer.text
    assert bob.post("/schedules/new", {**PLAN, "model": "salary"}).status_code == 422
    assert "No recurring jobs yet" in bob.get("/schedules").text


def test_a_script_gets_the_address_or_the_problem_as_json(bob: Client) -> None:
    wants = {"accept": "application/json"}
    body = {"file": people(), "model": "salary", **PLAN}
    made = bob.post("/schedules/new", body, headers=wants)
    assert (made.status_code, made.json()["location"][:11]) == (201, "/schedules/")
    off = bob.post("/schedules/new", {**body, "file": people(), "at": ""}, headers=wants)
    assert (off.status_code, off.json()["errors"][0]["pointer"]) == (422, "/at")


def test_viewers_see_recurring_jobs_and_change_none(bob: Client, cast: Cast) -> None:
    address = send(bob)["Location"]
    with tenancy.scope(cast.acme.pk):
        Membership.objects.filter(user=cast.bob).update(role=Role.VIEWER)
    page = bob.get(address).text
    assert "Payroll" in page
    assert "Run now" not in page.replace("“Run now”", "")
    assert bob.get("/schedules/new").status_code == 403


def test_a_webhook_is_made_tested_rotated_switched_off_and_deleted(alice: Client) -> None:
    assert "No webhooks yet" in alice.get("/webhooks").text
    made = alice.post("/webhooks/new", HOOK)
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/]+=*", made.text)
    assert made["Cache-Control"].startswith("max-age=0")
    (address,) = set(re.findall(r"/webhooks/[0-9a-f-]{36}(?=\")", made.text))
    page = alice.get(address).text
    assert secret not in page
    assert "A job failed" in page
    assert "On its way" in alice.post(f"{address}/test", follow=True).text
    rotated = re.findall(r"whsec_[A-Za-z0-9+/]+=*", alice.post(f"{address}/rotate").text)
    assert rotated != [secret]
    off = alice.post(f"{address}/disable", follow=True).text
    assert "Switched off by alice@acme.example." in off
    assert "Given up" in off
    assert "Send a test message" in alice.post(f"{address}/enable", follow=True).text
    assert "No webhooks yet" in alice.post(f"{address}/delete", follow=True).text


def test_a_webhook_into_the_network_is_refused_beside_its_field(alice: Client) -> None:
    answer = alice.post("/webhooks/new", {**HOOK, "url": "http://10.0.0.1/"})
    assert answer.status_code == 422
    assert "begins with https://" in answer.text


def test_names_are_escaped(bob: Client) -> None:
    address = send(bob, name="<b>Payroll</b>")["Location"]
    for page in (bob.get(address).text, bob.get("/schedules").text):
        assert "&lt;b&gt;Payroll" in page
        assert "<b>Payroll" not in page


def test_outsiders_see_nothing(bob: Client, alice: Client, cast: Cast) -> None:
    schedule = send(bob)["Location"]
    made = alice.post("/webhooks/new", HOOK).text
    (hook,) = set(re.findall(r"/webhooks/[0-9a-f-]{36}(?=\")", made))
    charlie = cast.browser(cast.charlie)
    for address in (schedule, f"{schedule}/edit", hook, f"{hook}/edit"):
        assert charlie.get(address).status_code == 404
    assert "Payroll" not in charlie.get("/schedules").text
    assert "hr.example.com" not in charlie.get("/webhooks").text
