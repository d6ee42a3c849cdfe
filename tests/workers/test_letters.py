"""Who started a job hears by mail how it ended: once, if it is wanted, and without a row's cell."""

import smtplib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from models_hub.models import Deployment
from portal import tenancy, turns
from portal.models import Membership
from tests.cast import Cast
from workers import batch, outgoing, tasks
from workers.letters import Letters
from workers.models import Job, Letter, Schedule

pytestmark = [
    pytest.mark.django_db(databases=["default", "owner"]),
    pytest.mark.usefixtures("no_bell"),
]
CONTENT = b"id,experience,education,region\nann,10,12,east\nben,many,12,east\n"
Later = Callable[[], None]
PLAN = {"name": "Payroll", "every": "day", "at": "02:30", "zone": "Europe/Berlin"}


@pytest.fixture
def later(cast: Cast) -> Later:
    def go() -> None:
        with tenancy.scope(cast.acme.pk):
            Letter.objects.update(due=timezone.now() - timedelta(seconds=1))
            turns.announce(turns.Kind.MAIL)
        tasks.mail()

    return go


def start(client: Client, cast: Cast, minutes: float = 5, content: bytes = CONTENT) -> str:
    """The id of a job that was sent by page so many minutes ago, and waits."""
    file = SimpleUploadedFile("people.csv", content)
    answer = client.post("/jobs/new", {"file": file, "version": "salary 1"})
    job_id = str(answer["Location"]).rpartition("/")[2]
    with tenancy.scope(cast.acme.pk):
        ago = timezone.now() - timedelta(minutes=minutes)
        Job.objects.filter(pk=UUID(job_id)).update(created=ago)
    return job_id


def test_who_started_a_job_hears_how_it_ended(bob: Client, cast: Cast) -> None:
    job_id = start(bob, cast)
    batch.drain()
    tasks.mail()
    tasks.mail()
    (letter,) = mail.outbox
    assert letter.to == ["bob@acme.example"]
    assert letter.subject == "people.csv: ended with rows that could not be scored"
    assert "Rows: 2, of which 1 have an error" in letter.body
    assert f"http://localhost:8000{reverse('job', args=[job_id])}\n" in letter.body
    html = str(letter.alternatives[0][0])  # type: ignore[attr-defined]  # it has two forms
    assert f'href="http://localhost:8000/jobs/{job_id}"' in html
    for cell in ("ann", "ben", "many", "east"):
        assert cell not in letter.body
        assert cell not in html


def test_who_waited_less_than_a_minute_saw_it_end(bob: Client, cast: Cast) -> None:
    start(bob, cast, minutes=0.5)
    batch.drain()
    tasks.mail()
    assert mail.outbox == []


def test_a_job_that_failed_says_why(bob: Client, cast: Cast) -> None:
    start(bob, cast, content=b"experience,region\n1,east\n")
    batch.drain()
    tasks.mail()
    assert mail.outbox[0].subject == "people.csv: the job failed"
    assert "lacks the column “education”" in mail.outbox[0].body


def test_who_cancels_a_job_is_not_told_of_it(bob: Client, cast: Cast) -> None:
    bob.post(f"/jobs/{start(bob, cast)}/cancel")
    tasks.mail()
    assert mail.outbox == []


def test_a_person_switches_these_mails_off(bob: Client, cast: Cast) -> None:
    assert "told by mail" in bob.get("/settings").text
    bob.post("/settings/mails", {"wanted": "no"})
    start(bob, cast)
    batch.drain()
    bob.post("/settings/mails", {"wanted": "yes"})
    start(bob, cast)
    batch.drain()
    tasks.mail()
    assert len(mail.outbox) == 1


def test_a_job_that_a_program_started_is_told_to_nobody(run: Any, cast: Cast) -> None:
    run(CONTENT)
    with tenancy.scope(cast.acme.pk):
        assert not Letter.objects.exists()


def test_who_left_the_organisation_hears_nothing_more(bob: Client, cast: Cast) -> None:
    start(bob, cast)
    batch.drain()
    with tenancy.scope(cast.acme.pk):
        Membership.objects.filter(user=cast.bob).delete()
    tasks.mail()
    assert mail.outbox == []


def test_a_recurring_job_tells_of_each_run_if_its_maker_wants(bob: Client, cast: Cast) -> None:
    for wanted in ("on", ""):
        file = SimpleUploadedFile("people.csv", CONTENT)
        answer = bob.post(
            "/schedules/new", {"file": file, "model": "salary", **PLAN, "mail": wanted}
        )
        assert answer.status_code == 302
    run_all(cast)
    batch.drain()
    tasks.mail()
    (letter,) = mail.outbox
    assert "The recurring job “Payroll” has run." in letter.body


def test_a_run_that_could_not_start_is_told(bob: Client, cast: Cast) -> None:
    file = SimpleUploadedFile("people.csv", CONTENT)
    bob.post("/schedules/new", {"file": file, "model": "salary", **PLAN, "mail": "on"})
    with tenancy.scope(cast.acme.pk):
        Deployment.objects.filter(architecture="offline").update(is_active=False)
    run_all(cast)
    tasks.mail()
    (letter,) = mail.outbox
    assert "did not start" in letter.subject
    assert "switched off" in letter.body
    with tenancy.scope(cast.acme.pk):
        (schedule,) = Schedule.objects.all()
    assert f"http://localhost:8000{reverse('schedule', args=[schedule.pk])}\n" in letter.body


def run_all(cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        Schedule.objects.update(next_slot=timezone.now() - timedelta(minutes=1))
        turns.announce(turns.Kind.RECUR)
    tasks.recur()


def test_a_mail_server_that_is_away_gets_it_later_under_the_same_id(
    bob: Client, cast: Cast, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def away(message: EmailMessage, fail_silently: bool = False) -> int:
        tried.append(message.extra_headers["Message-ID"])
        raise ConnectionRefusedError

    start(bob, cast)
    batch.drain()
    with monkeypatch.context() as patched:
        patched.setattr(EmailMessage, "send", away)
        tasks.mail()
        later()
    assert mail.outbox == []
    later()
    assert [mail.outbox[0].extra_headers["Message-ID"], *tried] == [tried[0]] * 3


def test_an_address_that_the_server_refuses_is_given_up(
    bob: Client, cast: Cast, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(message: EmailMessage, fail_silently: bool = False) -> int:
        raise smtplib.SMTPRecipientsRefused({"bob@acme.example": (550, b"no such user")})

    monkeypatch.setattr(EmailMessage, "send", refuse)
    start(bob, cast)
    batch.drain()
    tasks.mail()
    with tenancy.scope(cast.acme.pk):
        (letter,) = Letter.objects.all()
    assert (letter.state, letter.attempt) == ("dead", 1)


def test_a_letter_in_the_hands_of_one_worker_is_sent_by_no_other(bob: Client, cast: Cast) -> None:
    start(bob, cast)
    batch.drain()
    ((line, attempt),) = outgoing._claimed(Letters())
    tasks.mail()
    assert mail.outbox == []
    outgoing._note(Letters(), line, attempt())
    tasks.mail()
    assert len(mail.outbox) == 1
    with tenancy.scope(cast.acme.pk):
        assert Letter.objects.get().state == "sent"


def test_a_file_s_name_can_not_forge_a_header(bob: Client, cast: Cast) -> None:
    job_id = start(bob, cast)
    with tenancy.scope(cast.acme.pk):
        Job.objects.filter(pk=UUID(job_id)).update(filename="a\r\nBcc: eve@evil.example\r\n<b>.csv")
    batch.drain()
    tasks.mail()
    (letter,) = mail.outbox
    assert letter.subject.startswith("a Bcc: eve@evil.example <b>.csv: ")
    assert letter.recipients() == ["bob@acme.example"]
    assert "&lt;b&gt;" in str(letter.alternatives[0][0])  # type: ignore[union-attr]  # it has two forms
