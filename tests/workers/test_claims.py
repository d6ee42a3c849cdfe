"""Leases, fences and attempts: nothing is lost, nothing is doubled, nothing hangs."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from sklearn.pipeline import Pipeline

from berth.predictions import PredictionError
from berth.predictor import Predictor
from models_hub import storage
from models_hub.models import Version
from portal import tenancy, turns
from portal.errors import Unavailable
from portal.models import Turn
from tests.cast import Cast
from tests.workers.conftest import publish, table
from tests.workers.test_jobs import parquet
from workers import batch, claims, closing, purging, scoring
from workers.claims import Overtaken
from workers.models import Chunk, Job
from workers.splitting import split

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]
POISON = 39.5
PREDICT = Predictor.predict


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.reading.base.BATCH_ROWS", 10)


@pytest.fixture
def acme(cast: Cast, salary: Version) -> Iterator[None]:
    """Inside Acme's scope."""
    with tenancy.scope(cast.acme.pk):
        yield


def content(rows: int = 40, poison: int | None = None) -> bytes:
    frame = table(rows)
    if poison is not None:
        frame.loc[poison, "experience"] = POISON
    data: bytes = frame.to_csv(index=False).encode()
    return data


def split_only(submit: Run, rows: int = 40) -> str:
    """The id of a job whose file is split and of which no row is scored."""
    job_id: str = submit(content(rows))["id"]
    chunk = claims.claim()
    assert chunk is not None
    assert chunk.row_from == Chunk.SPLIT
    claims.start(chunk)
    split(chunk, float("inf"))
    return job_id


def claimed() -> Chunk:
    chunk = claims.claim()
    assert chunk is not None
    return chunk


def outcome_of(chunk: Chunk) -> scoring.Outcome:
    outcome = scoring.Outcome(list(range(chunk.row_from, chunk.row_to)), [None] * 10)
    outcome.values = [1.0] * 10
    return outcome


def expire_leases() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workers_chunk SET lease_until = now() - interval '1 hour'")


def test_each_claim_gets_another_chunk_until_none_is_left(acme: None, submit: Run) -> None:
    split_only(submit)
    assert [claimed().row_from for _ in range(4)] == [0, 10, 20, 30]
    assert claims.claim() is None


def test_a_lease_that_ran_out_is_claimed_again_and_the_late_worker_refused(
    acme: None, submit: Run, rows: Callable[..., list[Any]]
) -> None:
    job_id = split_only(submit)
    late = claimed()
    expire_leases()
    again = claimed()
    assert (again.pk, again.attempt, again.fence) == (late.pk, 2, late.fence + 1)
    closing.finish(again, outcome_of(again))
    with pytest.raises(Overtaken):
        closing.finish(late, outcome_of(late))
    assert len(rows({"id": job_id})) == 10


def test_a_chunk_given_back_can_be_claimed_at_once(acme: None, submit: Run) -> None:
    split_only(submit)
    first = claimed()
    claims.give_back(first, counts=False)
    again = claimed()
    assert (again.pk, again.attempt) == (first.pk, 1)


def test_a_cancelled_job_takes_no_rows_from_a_worker_that_is_at_it(
    acme: None, submit: Run, api: Client, rows: Callable[..., list[Any]]
) -> None:
    job_id = split_only(submit)
    chunk = claimed()
    assert api.post(f"/api/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    with pytest.raises(Overtaken):
        closing.finish(chunk, outcome_of(chunk))
    assert claims.claim() is None
    assert rows({"id": job_id}) == []


def test_a_resumed_job_does_what_was_left(
    acme: None, submit: Run, api: Client, rows: Callable[..., list[Any]]
) -> None:
    job_id = split_only(submit)
    done, late = claimed(), claimed()
    closing.finish(done, outcome_of(done))
    api.post(f"/api/v1/jobs/{job_id}/cancel")
    assert api.post(f"/api/v1/jobs/{job_id}/resume").json()["status"] == "running"
    with pytest.raises(Overtaken):
        closing.finish(late, outcome_of(late))
    batch.drain()
    job = api.get(f"/api/v1/jobs/{job_id}").json()
    assert (job["status"], job["rows_done"]) == ("succeeded", 40)
    found = rows(job)
    assert [row["row"] for row in found] == list(range(40))
    assert [row["prediction"] == 1.0 for row in found] == [True] * 10 + [False] * 30


def test_ended_jobs_are_neither_cancelled_nor_resumed(run: Run, api: Client) -> None:
    job = run(content())
    for deed in ("cancel", "resume"):
        answer = api.post(f"/api/v1/jobs/{job['id']}/{deed}")
        assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/job_ended")


def test_the_result_of_a_cancelled_job_is_what_was_scored(
    acme: None, submit: Run, api: Client
) -> None:
    job_id = split_only(submit)
    address = f"/api/v1/jobs/{job_id}/result"
    assert api.get(address).json()["type"] == "/api/problems/job_not_ended"
    chunk = claimed()
    closing.finish(chunk, outcome_of(chunk))
    api.post(f"/api/v1/jobs/{job_id}/cancel")
    assert len(b"".join(api.get(address)).splitlines()) == 11
    assert api.get(f"{address}?format=xlsx").status_code == 406


def test_a_split_that_died_goes_on_where_it_was(
    run: Run, rows: Callable[..., list[Any]], api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, calls = storage.put_bytes, iter(range(1000))

    def dies_once(organisation_id: UUID, data: bytes) -> str:
        if next(calls) == 2:
            raise RuntimeError("the worker dies here")
        return put(organisation_id, data)

    monkeypatch.setattr(storage, "put_bytes", dies_once)
    job = run(content())
    assert (job["status"], job["rows_total"], job["rows_done"]) == ("succeeded", 40, 40)
    assert next(calls) == 5  # four batches and the one that failed
    assert [row["row"] for row in rows(job)] == list(range(40))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_long_split_is_done_in_slices(
    submit: Run, api: Client, rows: Callable[..., list[Any]], name: str
) -> None:
    frame = table(95)
    ways: dict[str, Callable[[], bytes]] = {
        "a.csv": lambda: frame.to_csv(index=False).replace("west", '"we\nst"').encode(),
        "a.jsonl": lambda: frame.to_json(orient="records", lines=True).encode(),
        "a.parquet": lambda: parquet(frame),
    }
    job = submit(ways[name](), name, key="id")
    for _ in range(30):
        batch.drain(0)
    job = api.get(f"/api/v1/jobs/{job['id']}").json()
    assert (job["status"], job["rows_total"], job["rows_done"]) == ("succeeded", 95, 95)
    assert [row["key"] for row in rows(job)] == frame["id"].tolist()


def raises_on_poison(error: Exception) -> Callable[..., Any]:
    def predict(self: Predictor, columns: dict[str, Any]) -> Any:
        if (columns["experience"] == POISON).any():
            raise error
        return PREDICT(self, columns)

    return predict


@pytest.mark.parametrize("error", [PredictionError("no"), ValueError("a crash")])
def test_a_poison_row_is_set_apart_and_the_others_are_served(
    run: Run,
    rows: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    regressor: Pipeline,
    error: Exception,
) -> None:
    monkeypatch.setattr(Predictor, "predict", raises_on_poison(error))
    job = run(content(poison=17), key="id")
    assert (job["status"], job["rows_done"], job["rows_failed"]) == ("partial", 40, 1)
    found = rows(job)
    assert [row["row"] for row in found if row["error"]] == [17]
    assert found[17]["key"] == "p17"
    good = np.delete(np.arange(40), 17)
    expected = regressor.predict(table())[good]
    np.testing.assert_allclose([found[i]["prediction"] for i in good], expected, rtol=1e-9)


def test_an_answer_that_is_no_number_is_the_error_of_its_row(
    run: Run, rows: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(self: Predictor, columns: dict[str, Any]) -> Any:
        bad = np.flatnonzero(columns["experience"].ravel() == POISON)
        if len(bad):
            raise PredictionError("no finite number", tuple(bad.tolist()))
        return PREDICT(self, columns)

    monkeypatch.setattr(Predictor, "predict", predict)
    job = run(content(poison=3))
    assert (job["status"], job["rows_failed"]) == ("partial", 1)
    assert rows(job)[3]["error"] == "The model's answer for this row is no finite number."


def test_a_model_that_always_crashes_fails_the_job(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(self: Predictor, columns: dict[str, Any]) -> Any:
        raise ValueError("always")

    monkeypatch.setattr(Predictor, "predict", predict)
    monkeypatch.setattr(closing, "MOST_CRASHES", 5)
    job = run(content())
    assert (job["status"], job["error"]["code"]) == ("failed", "model_crashes")


def test_a_storage_that_is_away_costs_no_attempt(
    acme: None, submit: Run, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = split_only(submit)
    with monkeypatch.context() as away:

        def read_stored(*_: object) -> bytes:
            raise Unavailable("away")

        away.setattr(storage, "read_stored", read_stored)
        for _ in range(9):
            batch.drain()
    assert api.get(f"/api/v1/jobs/{job_id}").json()["status"] == "running"
    batch.drain()
    job = api.get(f"/api/v1/jobs/{job_id}").json()
    assert (job["status"], job["rows_failed"]) == ("succeeded", 0)


def test_organisations_are_served_in_turn(
    cast: Cast, submit: Run, regressor: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(cast.other, "theirs", regressor)
    submit(content(200))
    file = SimpleUploadedFile("a.csv", content(20))
    charlie = cast.api(organisation=cast.other)
    assert charlie.post("/api/v1/models/theirs/jobs", {"file": file}).status_code == 202
    served: list[UUID] = []
    work = batch._take_on

    def noted(chunk: Chunk, until: float) -> None:
        served.append(chunk.organisation_id)
        work(chunk, until)

    monkeypatch.setattr(batch, "_take_on", noted)
    batch.drain()
    assert len(served) == 21 + 3
    last = max(i for i, organisation in enumerate(served) if organisation == cast.other.pk)
    assert last <= 6


def test_nobodys_turn_is_left_when_all_is_done(run: Run, cast: Cast) -> None:
    run(content())
    assert turns.waiting_kinds() == [turns.Kind.PURGE]
    purging.drain()
    assert turns.waiting_kinds() == []
    with tenancy.scope(cast.acme.pk):
        assert Turn.objects.filter(kind=Turn.Kind.SCORE, waiting=True).count() == 0
        assert Job.objects.filter(status=Job.Status.SUCCEEDED).count() == 1
