"""Jobs scored by models that run natively: a row that ends the process costs only itself."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
from django.test import Client

from models_hub import native
from models_hub.sandbox.pool import Pool
from portal import tenancy
from portal.access import system
from portal.actions import allow_own_code
from predictions.engine import ENGINE
from tests import natives
from tests.cast import Cast
from workers import batch

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]
ROWS = 8


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    own = Pool(4)
    env = type("Env", (), {"own_code": True})
    monkeypatch.setattr(native, "POOL", own)
    monkeypatch.setattr(native, "settings", type("Settings", (), {"ENV": env}))
    yield own
    own.end()


@pytest.fixture
def api(cast: Cast) -> Client:
    natives.publish(cast.acme, "wages", natives.own())
    allow(cast, True)
    return cast.api()


def allow(cast: Cast, allowed: bool) -> None:
    with tenancy.scope(cast.acme.pk):
        allow_own_code(system(cast.acme.pk), allowed)
    ENGINE.forget()


def people(**experience: float) -> bytes:
    frame = pd.DataFrame({"education": 12.0, "experience": [float(i) for i in range(ROWS)]})
    for row, value in experience.items():
        frame.loc[int(row.removeprefix("row")), "experience"] = value
    return frame.to_csv(index=False).encode()


def test_a_job_s_rows_are_answered_as_by_the_pipeline_itself(
    run: Run, rows: Callable[[Any], list[Any]]
) -> None:
    job = run(people(), slug="wages")
    assert (job["status"], job["rows_done"], job["rows_failed"]) == ("succeeded", ROWS, 0)
    asked = [{"education": 12.0, "experience": float(i)} for i in range(ROWS)]
    got = [row["prediction"] for row in rows(job)]
    assert got == pytest.approx(natives.own().predict(asked), rel=1e-12)


def test_a_row_that_ends_the_process_is_set_apart_and_all_others_are_served(
    run: Run, rows: Callable[[Any], list[Any]]
) -> None:
    job = run(people(row2=natives.DIES, row5=natives.KNOWS_NOT), slug="wages")
    assert (job["status"], job["rows_failed"]) == ("partial", 2)
    errors = {row["row"]: row["error"] for row in rows(job) if row["error"]}
    assert errors.keys() == {2, 5}
    assert "ended its worker" in errors[2]
    assert "The model failed" in errors[5]


def test_a_job_of_a_version_whose_code_is_switched_off_fails_with_the_reason(
    submit: Run, api: Client, cast: Cast
) -> None:
    job = submit(people(), slug="wages")
    allow(cast, False)
    batch.drain()
    ended = api.get(f"/api/v1/jobs/{job['id']}").json()
    assert (ended["status"], ended["error"]["code"]) == ("failed", "own_code_off")
