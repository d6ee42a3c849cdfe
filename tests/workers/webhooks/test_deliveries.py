"""A webhook hears of every job that ends, once or until it answers, and can tell who calls."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from portal import tenancy
from portal.models import AuditEntry
from tests.cast import Cast
from tests.workers.conftest import Submit
from tests.workers.webhooks.receiver import Received, Receiver, status
from workers import batch, outgoing, tasks
from workers.models import Delivery, Endpoint
from workers.webhooks import outbox, signing

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
GOOD = b"id,experience,education,region\na,1,12,east\n"
BAD_ROW = b"id,experience,education,region\na,1,12,east\nb,many,12,east\n"
NO_COLUMN = b"id,experience\na,1\n"
Later = Callable[..., None]
Deliveries = Callable[[], list[Any]]


def verified(secret: str, message: Received) -> Any:
    return Webhook(secret).verify(message.body, message.headers)


def test_a_receiver_verifies_who_calls_and_reads_how_the_job_ended(
    hook: Any, receiver: Receiver, run: Submit
) -> None:
    job = run(BAD_ROW, key="id")
    tasks.deliver()
    (message,) = receiver.got
    told = verified(hook["secret"], message)
    assert (told["type"], told["data"]["id"]) == ("job.partial", job["id"])
    assert (told["data"]["rows_total"], told["data"]["rows_failed"]) == (2, 1)
    assert told["data"]["finished_at"] == job["finished_at"].replace("+00:00", "Z")
    assert message.headers["content-type"] == "application/json"
    assert "many" not in message.body.decode()  # nothing of its rows
    with pytest.raises(WebhookVerificationError):
        verified(hook["secret"], Received("", message.headers, message.body + b" "))
    with pytest.raises(WebhookVerificationError):
        verified("whsec_" + "A" * 44, message)


def test_it_signs_as_the_specifications_example_does() -> None:
    """Of standardwebhooks/standard-webhooks, spec: "Deterministically producing signatures"."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = '{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    signature = Webhook(secret).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("content", "event"),
    [(GOOD, "job.succeeded"), (BAD_ROW, "job.partial"), (NO_COLUMN, "job.failed")],
)
def test_each_end_of_a_job_is_told_once(
    content: bytes, event: str, hook: Any, receiver: Receiver, run: Submit
) -> None:
    run(content)
    for _ in range(3):
        batch.drain()
        tasks.deliver()
    assert [json.loads(message.body)["type"] for message in receiver.got] == [event]


def test_a_cancelled_job_is_told_and_its_end_after_a_resume_too(
    hook: Any, receiver: Receiver, submit: Submit, api: Client
) -> None:
    job = submit(GOOD)
    api.post(f"/api/v1/jobs/{job['id']}/cancel")
    api.post(f"/api/v1/jobs/{job['id']}/cancel")
    api.post(f"/api/v1/jobs/{job['id']}/resume")
    batch.drain()
    tasks.deliver()
    told = [json.loads(message.body)["type"] for message in receiver.got]
    assert sorted(told) == ["job.cancelled", "job.succeeded"]


def test_only_the_events_that_were_chosen_are_told(
    api: Client, hook: Any, receiver: Receiver, run: Submit
) -> None:
    body = {"url": receiver.url, "events": ["job.failed"]}
    address = f"/api/v1/webhooks/{hook['id']}"
    assert api.put(address, body, content_type="application/json").json()["events"] == [
        "job.failed"
    ]
    run(GOOD)
    run(NO_COLUMN)
    tasks.deliver()
    assert [json.loads(message.body)["type"] for message in receiver.got] == ["job.failed"]


def test_a_message_is_written_with_the_end_of_the_job_or_not_at_all(
    hook: Any, submit: Submit, cast: Cast, monkeypatch: pytest.MonkeyPatch, deliveries: Deliveries
) -> None:
    submit(GOOD)

    def die(job: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("workers.letters.tell_of_end", die)
        with pytest.raises(SystemExit):
            batch.drain()
    assert deliveries() == []
    batch.drain()
    assert [delivery["event"] for delivery in deliveries()] == ["job.succeeded"]


def test_what_is_not_taken_is_sent_again_under_the_same_id(
    hook: Any, receiver: Receiver, run: Submit, later: Later, deliveries: Deliveries
) -> None:
    receiver.answers = [status(500), status(503), status(200)]
    run(GOOD)
    tasks.deliver()
    tasks.deliver()  # it is not due yet
    (delivery,) = deliveries()
    assert (delivery["status"], delivery["error"]) == ("pending", "It answered 500.")
    assert datetime.fromisoformat(delivery["next_try"]) > timezone.now()
    later(3)
    (delivery,) = deliveries()
    assert (delivery["status"], delivery["next_try"]) == ("sent", None)
    assert [each["status"] for each in delivery["tries"]] == [500, 503, 200]
    assert len({message.headers["webhook-id"] for message in receiver.got}) == 1
    verified(hook["secret"], receiver.got[-1])


def test_tries_stand_further_and_further_apart_for_some_three_days() -> None:
    waits = outbox.Deliveries.waits
    assert list(waits) == sorted(waits)
    assert timedelta(days=3) < timedelta(seconds=sum(waits)) < timedelta(days=4)


def test_what_is_never_taken_is_given_up_and_the_webhook_switched_off(
    cast: Cast,
    hook: Any,
    receiver: Receiver,
    run: Submit,
    later: Later,
    deliveries: Deliveries,
    api: Client,
) -> None:
    receiver.answers = [status(500)]
    run(GOOD)
    later()
    with tenancy.scope(cast.acme.pk):
        Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=3))
    later(20)
    (delivery,) = deliveries()
    assert (delivery["status"], len(delivery["tries"])) == ("dead", 10)
    shown = api.get(f"/api/v1/webhooks/{hook['id']}").json()
    assert (shown["enabled"], shown["why_disabled"]) == (False, "It answered 500.")
    run(GOOD)
    assert len(deliveries()) == 1
    tasks.mail()
    (letter,) = mail.outbox
    assert letter.to == ["alice@acme.example"]  # the owner
    assert receiver.url in letter.body


def test_one_that_is_given_up_in_a_short_spell_leaves_the_webhook_on(
    hook: Any, receiver: Receiver, run: Submit, later: Later, deliveries: Deliveries, api: Client
) -> None:
    receiver.answers = [status(500)]
    run(GOOD)
    later(12)
    assert deliveries()[0]["status"] == "dead"
    assert api.get(f"/api/v1/webhooks/{hook['id']}").json()["enabled"]


def test_one_that_says_it_is_gone_is_not_called_again(
    hook: Any, receiver: Receiver, run: Submit, later: Later, api: Client
) -> None:
    receiver.answers = [status(410)]
    run(GOOD)
    later(3)
    assert len(receiver.got) == 1
    assert not api.get(f"/api/v1/webhooks/{hook['id']}").json()["enabled"]


def test_one_is_switched_on_and_gets_what_it_missed_on_request(
    hook: Any, receiver: Receiver, run: Submit, later: Later, deliveries: Deliveries, api: Client
) -> None:
    run(GOOD)
    address = f"/api/v1/webhooks/{hook['id']}"
    api.post(f"{address}/disable")
    later()
    (delivery,) = deliveries()
    assert (delivery["status"], receiver.got) == ("dead", [])
    resend = f"{address}/deliveries/{delivery['id']}/resend"
    assert api.post(resend).json()["type"] == "/api/problems/webhook_off"
    api.post(f"{address}/enable")
    assert api.post(resend).status_code == 202
    assert api.post(resend).json()["type"] == "/api/problems/delivery_pending"
    tasks.deliver()
    assert deliveries()[0]["status"] == "sent"
    assert api.post(resend).status_code == 202
    tasks.deliver()
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_resent_message_has_all_its_tries_anew(
    hook: Any, receiver: Receiver, run: Submit, later: Later, deliveries: Deliveries, api: Client
) -> None:
    receiver.answers = [status(500)]
    run(GOOD)
    later(12)
    delivery = deliveries()[0]
    api.post(f"/api/v1/webhooks/{hook['id']}/deliveries/{delivery['id']}/resend")
    later(12)
    assert len(receiver.got) == 20


def test_for_a_day_after_a_rotation_both_secrets_hold(
    cast: Cast, hook: Any, receiver: Receiver, run: Submit, api: Client
) -> None:
    new = api.post(f"/api/v1/webhooks/{hook['id']}/rotate").json()["secret"]
    assert new != hook["secret"]
    run(GOOD)
    tasks.deliver()
    for secret in (new, hook["secret"]):
        verified(secret, receiver.got[0])
    with tenancy.scope(cast.acme.pk):
        Endpoint.objects.update(rotated=timezone.now() - signing.OVERLAP)
    run(GOOD)
    tasks.deliver()
    verified(new, receiver.got[1])
    with pytest.raises(WebhookVerificationError):
        verified(hook["secret"], receiver.got[1])


def test_a_secret_is_shown_once_and_stored_nowhere(cast: Cast, hook: Any, api: Client) -> None:
    assert hook["secret"].startswith("whsec_")
    assert "secret" not in api.get(f"/api/v1/webhooks/{hook['id']}").json()
    with tenancy.scope(cast.acme.pk), connection.cursor() as cursor:
        cursor.execute("SELECT e::text FROM workers_endpoint e")
        assert hook["secret"].removeprefix("whsec_") not in str(cursor.fetchall())


def test_a_test_message_is_sent_by_hand(
    hook: Any, receiver: Receiver, api: Client, deliveries: Deliveries
) -> None:
    assert api.post(f"/api/v1/webhooks/{hook['id']}/test").status_code == 202
    tasks.deliver()
    assert verified(hook["secret"], receiver.got[0])["type"] == "webhook.test"
    assert deliveries()[0]["job"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://example.com/"}, "/url"),
        ({"url": "https://example.com:22/"}, "/url"),
        ({"url": 3}, "/url"),
        ({"url": "https://example.com/", "events": []}, "/events"),
        ({"url": "https://example.com/", "events": ["job.lost"]}, "/events"),
        ({"url": "https://example.com/", "events": "job.failed"}, "/events"),
    ],
)
def test_what_is_off_is_refused_beside_its_field(api: Client, body: Any, pointer: str) -> None:
    answer = api.post("/api/v1/webhooks", body, content_type="application/json")
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_lease_that_ran_out_lets_another_worker_send_and_the_first_note_nothing(
    cast: Cast, hook: Any, receiver: Receiver, run: Submit, later: Later, deliveries: Deliveries
) -> None:
    run(GOOD)
    post = outbox.Deliveries()
    ((line, attempt),) = outgoing._claimed(post)  # a worker that is stopped here
    tasks.deliver()
    assert receiver.got == []  # it is leased
    later()
    assert deliveries()[0]["status"] == "sent"
    attempt()
    outgoing._note(post, line, outgoing.Outcome("too late"))
    assert (deliveries()[0]["status"], deliveries()[0]["error"]) == ("sent", None)


def test_a_job_is_told_to_its_own_organisation_alone(
    cast: Cast, hook: Any, receiver: Receiver, run: Submit
) -> None:
    other = cast.api(organisation=cast.other)
    body = {"url": receiver.url}
    theirs = other.post("/api/v1/webhooks", body, content_type="application/json").json()
    run(GOOD)
    tasks.deliver()
    assert len(receiver.got) == 1
    verified(hook["secret"], receiver.got[0])
    assert other.get(f"/api/v1/webhooks/{theirs['id']}/deliveries").json()["items"] == []


def test_many_are_told_side_by_side_so_that_one_that_hangs_holds_up_no_other(
    api: Client, hook: Any, receiver: Receiver, run: Submit
) -> None:
    together = threading.Barrier(4)
    for _ in range(3):
        api.post("/api/v1/webhooks", {"url": receiver.url}, content_type="application/json")

    def answer(handler: Any) -> None:
        together.wait(10)  # broken, and no answer, unless all four are called at once
        status(200)(handler)

    receiver.answers = [answer]
    run(GOOD)
    tasks.deliver()
    assert not together.broken
    assert len(receiver.got) == 4


def test_the_list_goes_back_a_month_and_forgets_nothing_that_is_on_its_way(
    cast: Cast, hook: Any, run: Submit, deliveries: Deliveries
) -> None:
    run(GOOD)
    tasks.deliver()
    run(GOOD)  # on its way
    tasks.tidy()
    assert len(deliveries()) == 2
    with tenancy.scope(cast.acme.pk):
        ended = Delivery.objects.filter(state=Delivery.State.SENT)
        ended.update(finished=timezone.now() - timedelta(days=31))
    tasks.tidy()
    assert [delivery["status"] for delivery in deliveries()] == ["pending"]


def test_each_deed_stands_in_the_audit_log(api: Client, cast: Cast, hook: Any) -> None:
    address = f"/api/v1/webhooks/{hook['id']}"
    for deed in ("rotate", "test", "disable", "enable"):
        api.post(f"{address}/{deed}")
    api.delete(address)
    with tenancy.scope(cast.acme.pk):
        entries = AuditEntry.objects.filter(action__startswith="webhook.").order_by("id")
        told = [entry.action.split(".")[1] for entry in entries]
        assert told == ["created", "secret_rotated", "tested", "disabled", "enabled", "deleted"]
        assert hook["secret"] not in str([entry.detail for entry in entries])
