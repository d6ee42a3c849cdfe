"""Home: first steps that tick by themselves, what needs attention, what there is."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from models_hub.actions import create_model
from models_hub.events import write_event
from models_hub.models import HostedModel, ModelEvent, Version
from portal import tenancy
from portal.access import Caller, system
from portal.actions import create_key
from predictions.actions import WidgetSettings, create_widget, update_widget
from predictions.models import Prediction
from tests.cast import Cast
from tests.runtime.conftest import REGRESSION
from workers.models import Job

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def version(model: HostedModel, number: int, **values: Any) -> Version:
    row = Version(
        organisation_id=model.organisation_id,
        model=model,
        number=number,
        status="ready",
        format="skops",
        filename="salary.skops",
        sha256="0" * 64,
        size=1,
        bundle_sha256="0" * 64,
        bundle_size=1,
        signature=REGRESSION.to_json(),
        created_by="alice@acme.example",
    )
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row


def states(client: Client) -> list[str]:
    return [step.state for step in client.get("/").context["steps"]]


def test_the_signed_out_are_asked_to_sign_in() -> None:
    answer = Client().get("/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login")


def test_a_new_organisation_sees_the_six_steps_and_the_first_one_linked(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    assert states(alice) == ["current"] + ["waiting"] * 5
    page = alice.get("/").content.decode()
    assert "0 of 6 done" in page
    assert 'href="/models/new"' in page


def test_each_step_ticks_when_it_happens(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    caller = system(cast.acme.pk)
    for number, deed in enumerate((_upload, _promote, _predict, _key, _show, _score), 1):
        with tenancy.scope(cast.acme.pk):
            deed(caller)
        left = 6 - number
        expected = ["done"] * number + ["current"] * bool(left) + ["waiting"] * max(left - 1, 0)
        assert states(alice) == expected, deed.__name__
    page = alice.get("/").content.decode()
    assert "All 6 first steps are done." in page
    assert "they tick by themselves" not in page


def _upload(caller: Caller) -> None:
    version(create_model(caller, "salary", "Salary"), 1)


def _promote(caller: Caller) -> None:
    model = HostedModel.objects.get()
    model.live = Version.objects.get()
    model.save()
    write_event(caller, model, ModelEvent.Type.PROMOTED)


def _predict(caller: Caller) -> None:
    Prediction.objects.create(
        id=uuid.uuid4(),
        at=timezone.now(),
        model="salary",
        version=1,
        source="page",
        rows=1,
        milliseconds=1.0,
        request="{}",
        response="{}",
    )


def _key(caller: Caller) -> None:
    create_key(caller, "first", ["predict"])


def _show(caller: Caller) -> None:
    widget = create_widget(caller, "careers")
    update_widget(caller, widget.key_id, WidgetSettings(origins=["https://acme.example"]))


def _score(caller: Caller) -> None:
    Job.objects.create(
        version=Version.objects.get(),
        status="succeeded",
        filename="people.csv",
        format="csv",
        sha256="0" * 64,
        size=1,
        rows_total=10,
        created_by="alice@acme.example",
    )


def test_a_step_that_somebody_may_not_do_is_not_offered_to_them(cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        for deed in (_upload, _promote, _predict):
            deed(system(cast.acme.pk))
    assert states(cast.browser(cast.alice))[3:] == ["current", "waiting", "waiting"]
    assert states(cast.browser(cast.bob))[3:] == ["waiting", "waiting", "current"]


def test_a_refused_version_needs_attention_until_a_better_one_comes(cast: Cast) -> None:
    reason = {"code": "x", "detail": "The file holds a type that is not trusted."}
    with tenancy.scope(cast.acme.pk):
        model = create_model(system(cast.acme.pk), "salary", "Salary")
        version(model, 1, status="refused", bundle_sha256="", refusal=reason)
    alice = cast.browser(cast.alice)
    page = alice.get("/").content.decode()
    assert "Version 1 of Salary was refused" in page
    assert reason["detail"] in page
    with tenancy.scope(cast.acme.pk):
        version(model, 2)
    page = alice.get("/").content.decode()
    assert "was refused" not in page
    assert "Version 2 of Salary is ready" in page


def test_a_job_that_failed_needs_attention(cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        for deed in (_upload, _promote, _score):
            deed(system(cast.acme.pk))
        error = {"code": "unreadable", "detail": "The file ends in the middle of a row."}
        Job.objects.update(status="failed", error=error)
    page = cast.browser(cast.alice).get("/").content.decode()
    assert "people.csv could not be scored" in page
    assert error["detail"] in page


def test_another_organisations_models_do_not_show(cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        _upload(system(cast.acme.pk))
    charlie = cast.browser(cast.charlie)
    assert "salary" not in charlie.get("/").content.decode().lower()
    assert states(charlie)[0] == "current"
