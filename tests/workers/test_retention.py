"""What the organisation's settings say is kept no longer."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pandas as pd
import polars as pl
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from models_hub.models import Version
from portal import tenancy
from portal.access import system
from portal.actions import set_keeping
from portal.models import AuditEntry, Organisation
from predictions.models import Prediction
from tests.cast import Cast
from tests.workers.conftest import table
from tests.workers.test_removal import stored
from workers import batch, purging
from workers.models import Job, JobRow
from workers.tasks import tidy

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]
FOREVER: dict[str, Any] = dict.fromkeys(("inputs_days", "jobs_days", "live_days"))


def csv(count: int = 40) -> bytes:
    data: bytes = table(count).to_csv(index=False).encode()
    return data


def keep(cast: Cast, **settings: Any) -> None:
    with tenancy.scope(cast.acme.pk):
        set_keeping(system(cast.acme.pk), **{"keep_inputs": True, **FOREVER, **settings})


def age(cast: Cast, job: Any, days: float) -> None:
    with tenancy.scope(cast.acme.pk):
        ended = timezone.now() - timedelta(days=days)
        Job.objects.filter(pk=job["id"]).update(finished_at=ended)


def result(api: Client, job: Any, format_: str = "csv") -> bytes:
    answer = api.get(f"/api/v1/jobs/{job['id']}/result?format={format_}")
    assert answer.status_code == 200
    return b"".join(answer)


def test_without_inputs_a_result_is_key_prediction_and_error(
    run: Run, api: Client, cast: Cast
) -> None:
    before = stored(cast)
    whole = run(csv(), key="id")
    kept = pd.read_csv(io.BytesIO(result(api, whole)))
    keep(cast, keep_inputs=False)
    job = run(csv(), key="id")
    purging.drain()
    assert stored(cast) == before
    got = pd.read_csv(io.BytesIO(result(api, job)))
    assert [*got] == ["id", "prediction", "error"]
    assert got["id"].tolist() == kept["id"].tolist()
    assert got["prediction"].tolist() == kept["prediction"].tolist()
    assert pl.read_parquet(io.BytesIO(result(api, job, "parquet"))).height == 40
    assert got.equals(pd.read_csv(io.BytesIO(result(api, whole))))  # it applies to earlier jobs too


def test_without_inputs_and_without_a_key_rows_go_by_their_number(
    run: Run, api: Client, cast: Cast, level: Version
) -> None:
    keep(cast, keep_inputs=False)
    job = run(csv(3), slug="level")
    purging.drain()
    got = pd.read_csv(io.BytesIO(result(api, job)))
    assert [*got] == ["row", "prediction", "probability", "error"]
    assert got["row"].tolist() == [0, 1, 2]
    page = cast.browser(cast.bob).get(reverse("job", args=[job["id"]]))
    assert "not kept" in page.content.decode()


def test_a_stopped_job_keeps_its_inputs_for_a_day_so_that_it_can_go_on(
    submit: Run, api: Client, cast: Cast
) -> None:
    keep(cast, keep_inputs=False)
    job = submit(csv())
    address = f"/api/v1/jobs/{job['id']}"
    api.post(f"{address}/cancel")
    purging.drain()
    assert api.post(f"{address}/resume").status_code == 200
    api.post(f"{address}/cancel")
    age(cast, job, 1.1)
    tidy()
    purging.drain()
    answer = api.post(f"{address}/resume")
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/inputs_gone")


def test_inputs_go_after_their_days_and_predictions_stay(
    run: Run, api: Client, cast: Cast, rows: Callable[..., list[Any]]
) -> None:
    keep(cast, inputs_days=7)
    old, young = run(csv(), key="id"), run(csv(), key="id")
    age(cast, old, 7.1)
    age(cast, young, 6.9)
    tidy()
    purging.drain()
    assert result(api, old).startswith(b"id,prediction,error")
    assert result(api, young).startswith(b"id,experience")
    assert len(rows(old)) == 40
    with tenancy.scope(cast.acme.pk):
        entry = AuditEntry.objects.get(action="job.inputs_deleted")
    assert (entry.target_id, entry.actor) == (old["id"], "system")


def test_jobs_go_after_their_days(run: Run, submit: Run, api: Client, cast: Cast) -> None:
    keep(cast, jobs_days=30)
    old, young, waiting = run(csv()), run(csv()), submit(csv())
    age(cast, old, 30.1)
    tidy()
    purging.drain()
    left = [job["id"] for job in api.get("/api/v1/jobs").json()["items"]]
    assert left == [waiting["id"], young["id"]]
    with tenancy.scope(cast.acme.pk):
        assert JobRow.objects.count() == 40
        entry = AuditEntry.objects.get(action="job.deleted")
    assert (entry.actor, entry.detail["why"]) == ("system", "retention")


def test_live_predictions_go_after_their_days(cast: Cast, salary: Version) -> None:
    with tenancy.scope(cast.acme.pk):
        for days in (0, 9.9, 10.1, 400):
            Prediction.objects.create(
                id=uuid4(),
                at=timezone.now() - timedelta(days=days),
                model="salary",
                version=1,
                source="test",
                rows=1,
                milliseconds=1,
                request="{}",
                response="{}",
            )
    keep(cast, live_days=10)
    purging.drain()
    with tenancy.scope(cast.acme.pk):
        assert Prediction.objects.count() == 2


def test_nothing_goes_where_nothing_is_set(run: Run, api: Client, cast: Cast) -> None:
    job = run(csv())
    age(cast, job, 4_000)
    tidy()
    purging.drain()
    assert len(result(api, job).splitlines()) == 41


def test_an_admin_sets_what_is_kept_on_the_settings_page(cast: Cast) -> None:
    browser = cast.browser(cast.alice)
    fields = {"keeping-inputs_days": "30", "keeping-jobs_days": "", "keeping-live_days": "90"}
    answer = browser.post(reverse("keeping"), fields, follow=True)
    assert "Saved." in answer.content.decode()
    with tenancy.scope(cast.acme.pk):
        acme = Organisation.objects.get()
        entry = AuditEntry.objects.get(action="organisation.keeping_changed")
    days = (acme.keep_inputs, acme.inputs_days, acme.jobs_days, acme.live_days)
    assert days == (False, 30, None, 90)
    assert entry.detail["before"]["keep_inputs"] is True
    assert entry.detail["after"]["inputs_days"] == 30


@pytest.mark.parametrize("days", ["0", "-3", "many", "36501"])
def test_a_number_of_days_that_is_off_is_refused_beside_its_field(cast: Cast, days: str) -> None:
    fields = {"keeping-keep_inputs": "on", "keeping-jobs_days": days}
    answer = cast.browser(cast.alice).post(reverse("keeping"), fields)
    assert answer.status_code == 422
    assert "leave it empty for no end" in answer.content.decode()
    with tenancy.scope(cast.acme.pk):
        assert Organisation.objects.get().jobs_days is None


def test_a_job_goes_on_while_others_go(submit: Run, api: Client, cast: Cast) -> None:
    keep(cast, keep_inputs=False, jobs_days=1)
    job = submit(csv())
    purging.drain()
    batch.drain()
    assert api.get(f"/api/v1/jobs/{job['id']}").json()["status"] == "succeeded"
