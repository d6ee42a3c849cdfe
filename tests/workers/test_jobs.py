"""A job by the API, from the file to its rows and result."""

import gzip
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import polars as pl
import pytest
from django.core.files.storage import default_storage
from django.test import Client
from sklearn.pipeline import Pipeline

from models_hub.models import Version
from portal import tenancy
from portal.models import AuditEntry
from tests.cast import Cast
from tests.workers.conftest import table
from workers import batch

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]


def jsonl(frame: pd.DataFrame) -> bytes:
    return b"\n".join(orjson.dumps(row) for row in frame.to_dict("records"))


def parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    pl.DataFrame(frame.to_dict("list")).write_parquet(stream)
    return stream.getvalue()


WAYS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "people.csv": lambda frame: frame.to_csv(index=False).encode(),
    "people.CSV": lambda frame: frame.to_csv(index=False, sep=";").encode(),
    "tabs.csv": lambda frame: frame.to_csv(index=False, sep="\t").encode(),
    "pipes.csv": lambda frame: frame.to_csv(index=False, sep="|").encode(),
    "marked.csv": lambda frame: frame.to_csv(index=False).encode("utf-8-sig"),
    "crlf.csv": lambda frame: frame.to_csv(index=False, lineterminator="\r\n").encode(),
    "indexed.csv": lambda frame: frame.to_csv().encode(),
    "people.csv.gz": lambda frame: gzip.compress(frame.to_csv(index=False).encode()),
    "people.jsonl": jsonl,
    "people.ndjson": jsonl,
    "people.jsonl.gz": lambda frame: gzip.compress(jsonl(frame)),
    "people.parquet": parquet,
    "people.parquet.gz": lambda frame: gzip.compress(parquet(frame)),
}


@pytest.mark.parametrize("name", WAYS)
def test_each_kind_of_file_gets_scikit_learns_predictions(
    run: Run, rows: Callable[..., list[Any]], regressor: Pipeline, name: str
) -> None:
    frame = table()
    job = run(WAYS[name](frame), name, key="id")
    assert (job["status"], job["error"]) == ("succeeded", None)
    assert (job["rows_total"], job["rows_done"], job["rows_failed"]) == (40, 40, 0)
    found = rows(job)
    assert [row["row"] for row in found] == list(range(40))
    assert [row["key"] for row in found] == frame["id"].tolist()
    got = [row["prediction"] for row in found]
    np.testing.assert_allclose(got, regressor.predict(frame), rtol=1e-9)


def test_a_row_is_found_by_its_key(run: Run, rows: Callable[..., list[Any]]) -> None:
    job = run(WAYS["people.csv"](table()), key="id")
    assert [row["row"] for row in rows(job, key="p7")] == [7]
    assert rows(job, key="nobody") == []


def test_rows_come_in_pages(run: Run, api: Client) -> None:
    job = run(WAYS["people.csv"](table()))
    address = f"/api/v1/jobs/{job['id']}/rows"
    first = api.get(address, {"limit": 30}).json()
    rest = api.get(address, {"limit": 30, "cursor": first["next"]}).json()
    assert [r["row"] for r in first["items"] + rest["items"]] == list(range(40))
    assert rest["next"] is None


def test_a_classification_gives_labels_and_their_probabilities(
    run: Run, rows: Callable[..., list[Any]], level: Version, classifier: Pipeline
) -> None:
    frame = table()
    job = run(WAYS["people.csv"](frame), slug="level")
    found = rows(job)
    assert [row["prediction"] for row in found] == classifier.predict(frame).tolist()
    best = classifier.predict_proba(frame).max(axis=1)
    np.testing.assert_allclose([row["probability"] for row in found], best, rtol=1e-5)


def test_a_bad_row_gets_its_own_error_and_the_others_go_on(
    run: Run, rows: Callable[..., list[Any]]
) -> None:
    job = run(
        b"experience,education,region\n"
        b"10,12,east\n"
        b"many,12,east\n"
        b"10,12\n"
        b'10,12,"a"b\n'
        b"10,12,east,more\n"
        b'20,12,"we\nst"\n'
        b"\n"
        b"30,12,west\n"
    )
    assert job["status"] == "partial"
    assert (job["rows_total"], job["rows_done"], job["rows_failed"]) == (7, 7, 4)
    found = rows(job)
    assert [row["row"] for row in found if row["error"] is None] == [0, 5, 6]
    assert '"experience" must be a number, but it is "many"' in found[1]["error"]
    assert found[2]["error"] == "This row has 2 cells, the header has 3."
    assert "can't be read as CSV" in found[3]["error"]
    assert found[4]["error"] == "This row has 4 cells, the header has 3."


def test_a_line_that_is_no_object_is_that_rows_error(
    run: Run, rows: Callable[..., list[Any]]
) -> None:
    good = b'{"experience": 1, "education": 2, "region": "east", "note": {"a": [1]}}\n'
    job = run(good + b"{oops\n[1]\n\n" + good.replace(b'"east"', b"null"), "people.jsonl")
    found = rows(job)
    assert (job["status"], job["rows_total"], job["rows_failed"]) == ("partial", 4, 3)
    assert found[1]["error"].startswith("This line is not JSON")
    assert found[2]["error"].startswith("This line is JSON, but not an object")
    assert '"region" is empty' in found[3]["error"]


def test_the_result_has_the_callers_columns_and_ours(
    run: Run, api: Client, regressor: Pipeline
) -> None:
    frame = table()
    frame["prediction"] = "mine"
    job = run(WAYS["people.csv"](frame))
    answer = api.get(f"/api/v1/jobs/{job['id']}/result?format=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="people-predictions.csv"'
    got = pd.read_csv(io.BytesIO(b"".join(answer)))
    assert [*got] == [*frame, "prediction_", "error"]
    pd.testing.assert_frame_equal(got[[*frame]], frame, check_dtype=False)
    np.testing.assert_allclose(got["prediction_"], regressor.predict(frame), rtol=1e-9)


@pytest.mark.parametrize("name", ["people.csv", "people.parquet", "people.jsonl"])
def test_the_result_as_parquet_is_the_same(run: Run, api: Client, name: str) -> None:
    frame = table()
    job = run(WAYS[name](frame), name)
    answer = api.get(f"/api/v1/jobs/{job['id']}/result?format=parquet")
    got = pl.read_parquet(io.BytesIO(b"".join(answer)))
    assert got.columns == [*frame, "prediction", "error"]
    assert got["id"].to_list() == frame["id"].tolist()
    assert got["prediction"].null_count() == 0


def test_the_result_is_safe_to_open_in_a_spreadsheet(run: Run, api: Client) -> None:
    header = b"experience,education,region,=cmd()\n"
    job = run(header + b"10,12,east,=1+1\n10,12,east,-5.5\n10,12,east,@x\n10,12,east,+49 30\n")
    answer = api.get(f"/api/v1/jobs/{job['id']}/result?format=csv")
    lines = b"".join(answer).decode().splitlines()
    assert [line.split(",")[3] for line in lines] == ["'=cmd()", "'=1+1", "-5.5", "'@x", "'+49 30"]


def test_columns_that_come_late_in_json_lines_are_in_the_result(run: Run, api: Client) -> None:
    row = b'{"experience": 1, "education": 2, "region": "east"}\n'
    late = b'{"late": "yes", "experience": 1, "education": 2, "region": "east"}\n'
    job = run(row * 10_001 + late, "people.jsonl")
    assert (job["status"], job["rows_total"]) == ("succeeded", 10_002)
    answer = api.get(f"/api/v1/jobs/{job['id']}/result?format=parquet")
    got = pl.read_parquet(io.BytesIO(b"".join(answer)))
    assert got["late"].null_count() == 10_001
    assert got["late"][-1] == "yes"


def test_a_job_keeps_the_version_it_was_given(run: Run, api: Client, cast: Cast) -> None:
    job = run(WAYS["people.csv"](table()), version="1")
    assert (job["model"], job["version"]) == ("salary", 1)
    listed = api.get("/api/v1/jobs").json()["items"]
    assert [item["id"] for item in listed] == [job["id"]]


def test_each_deed_leaves_an_audit_entry(run: Run, cast: Cast) -> None:
    job = run(WAYS["people.csv"](table()))
    with tenancy.scope(cast.acme.pk):
        entries = AuditEntry.objects.filter(target_id=job["id"]).order_by("id")
        assert [entry.action for entry in entries] == ["job.submitted", "job.succeeded"]


def test_another_organisations_job_does_not_exist(run: Run, cast: Cast) -> None:
    job = run(WAYS["people.csv"](table()))
    charlie = cast.api(organisation=cast.other)
    for end in ("", "/rows", "/result"):
        assert charlie.get(f"/api/v1/jobs/{job['id']}{end}").status_code == 404
    for end in ("/cancel", "/resume"):
        assert charlie.post(f"/api/v1/jobs/{job['id']}{end}").status_code == 404
    batch.drain()


def test_the_same_idempotency_key_makes_one_job(api: Client) -> None:
    def send() -> Any:
        file = io.BytesIO(WAYS["people.csv"](table()))
        file.name = "people.csv"
        headers = {"Idempotency-Key": "one"}
        return api.post("/api/v1/models/salary/jobs", {"file": file}, headers=headers)

    first, again = send(), send()
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert first["Location"] == again["Location"] == f"/api/v1/jobs/{first.json()['id']}"
    assert len(api.get("/api/v1/jobs").json()["items"]) == 1


def test_a_job_whose_model_has_rotted_fails_and_says_so(
    submit: Run, api: Client, salary: Version
) -> None:
    name = f"{salary.organisation_id}/{salary.bundle_sha256[:2]}/{salary.bundle_sha256}"
    job = submit(table(3).to_csv(index=False).encode())
    with tempfile.NamedTemporaryFile() as kept:
        stored = Path(default_storage.path(name))
        shutil.copy(stored, kept.name)
        stored.write_bytes(b"rotten")
        batch.drain()
        shutil.copy(kept.name, stored)
    ended = api.get(f"/api/v1/jobs/{job['id']}").json()
    assert (ended["status"], ended["error"]["code"]) == ("failed", "corrupt")
    assert api.post(f"/api/v1/jobs/{job['id']}/resume").status_code == 200
    batch.drain()
    assert api.get(f"/api/v1/jobs/{job['id']}").json()["status"] == "succeeded"
