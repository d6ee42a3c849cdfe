"""Files that are broken, hostile or not what they say: a clear sentence, and no prediction."""

import gzip
import io
import os
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from models_hub.models import Version
from models_hub.quota import stored_bytes
from portal import tenancy
from portal.models import Organisation
from tests.cast import Cast
from tests.workers.conftest import table
from tests.workers.test_jobs import parquet

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]
HEADER = b"experience,education,region\n"
ROW = b"10,12,east\n"
BROKEN = b"1,2,Z\xfcrich\n"
WHOLE = HEADER + ROW * 50_000

REFUSED = {
    "notes.txt": (b"hello", "must end in .csv"),
    "people.xlsx": (b"PK\x03\x04....", "must end in .csv"),
    "sheet.csv": (b"PK\x03\x04....", "save as “CSV UTF-8”"),
    "people.csv": (b"PAR1xxxx", "must end in .parquet"),
    "people.parquet": (b"a,b\n1,2\n", "not Parquet"),
    "people.csv.gz": (b"a,b\n1,2\n", "not gzip"),
    "people.jsonl": (b'[{"a": 1}]', "an object a line"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_at_once_what_is_no_table(api: Client, name: str) -> None:
    content, reason = REFUSED[name]
    file = SimpleUploadedFile(name, content)
    answer = api.post("/api/v1/models/salary/jobs", {"file": file})
    problem = answer.json()
    assert (answer.status_code, problem["errors"][0]["pointer"]) == (422, "/file")
    assert reason in problem["detail"]


def test_it_refuses_an_empty_file_and_none_at_all(api: Client) -> None:
    empty = api.post("/api/v1/models/salary/jobs", {"file": SimpleUploadedFile("a.csv", b"")})
    none = api.post("/api/v1/models/salary/jobs", {"key": "id"})
    assert (empty.status_code, none.status_code) == (422, 422)
    assert empty.json()["errors"][0]["pointer"] == none.json()["errors"][0]["pointer"] == "/file"


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def damaged(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + b"\xff" * 20 + data[middle + 20 :]


FAILED = {
    "header only": ("a.csv", HEADER, "empty"),
    "blank lines": ("a.csv", b"\n\n \n", "empty"),
    "no rows": ("a.parquet", parquet(table().head(0)), "empty"),
    "blank json": ("a.jsonl", b"\n\n", "empty"),
    "truncated gzip": ("a.csv.gz", truncated(gzip.compress(WHOLE)), "truncated"),
    "damaged gzip": ("a.csv.gz", damaged(gzip.compress(WHOLE)), "bad_gzip"),
    "truncated parquet": ("a.parquet", truncated(parquet(table(5_000))), "bad_parquet"),
    "random parquet": ("a.parquet", b"PAR1" + os.urandom(9_000) + b"PAR1", "bad_parquet"),
    "half utf 8": ("a.csv", HEADER + ROW * 3 + "1,2,Zürich\n".encode() + BROKEN, "not_utf8"),
    "broken utf 16": ("a.csv", WHOLE.decode().encode("utf-16") + b"\x00\xd8,\x00", "bad_encoding"),
    "no text": ("a.csv", HEADER + ROW * 3 + b"\x81\x8d\x8f\n", "not_utf8"),
    "unclosed quote": ("a.csv", HEADER + ROW * 3 + b'1,2,"east\n' + ROW * 9, "unclosed_quote"),
    "endless cell": ("a.csv", HEADER + ROW + b'1,2,"' + b"x" * 200_000 + b'"\n', "cell_too_long"),
    "endless line": ("a.csv", HEADER + ROW + b"1" * 5_000_000 + b"\n", "row_too_long"),
    "endless row": ("a.csv", HEADER + b'"a\n",' * 2_000_000, "row_too_long"),
    "old line ends": ("a.csv", WHOLE[:500].replace(b"\n", b"\r"), "line_ends"),
    "duplicate names": ("a.csv", b"education,region,education\n1,2,3\n", "duplicate_columns"),
    "many columns": ("a.csv", b",".join(b"c%d" % i for i in range(2_000)), "too_many_columns"),
    "nul in a name": ("a.csv", b"experience,education,region,a\0b\n1,2,east,3\n", "bad_column"),
    "nul in json": (
        "a.jsonl",
        b'{"experience": 1, "education": 2, "region": "x", "a\\u0000": 1}\n',
        "bad_column",
    ),
    "no json": ("a.jsonl", b"hello\nworld\n", "not_json_lines"),
    "missing in json": ("a.jsonl", b'{"experience": 1, "region": "x"}\n', "missing_columns"),
    "nested parquet": (
        "a.parquet",
        parquet(table(3).assign(region=[["a"], ["b"], ["c"]])),
        "nested_column",
    ),
}


@pytest.mark.parametrize("case", FAILED)
def test_a_job_fails_with_a_reason_and_without_a_row(
    run: Run, rows: Callable[..., list[Any]], case: str
) -> None:
    name, content, code = FAILED[case]
    job = run(content, name)
    assert (job["status"], job["error"] and job["error"]["code"]) == ("failed", code)
    assert job["finished_at"]
    assert "Traceback" not in job["error"]["detail"]
    assert rows(job) == []


def test_missing_columns_are_named_with_those_that_come_near(run: Run) -> None:
    job = run("Expérience,eduction,region\n1,2,east\n".encode())
    assert job["error"]["code"] == "missing_columns"
    detail = job["error"]["detail"]
    assert "the columns “experience”, “education”" in detail
    assert "“Expérience” for “experience”, “eduction” for “education”" in detail


def test_the_row_that_is_not_utf8_is_named(run: Run) -> None:
    job = run(FAILED["half utf 8"][1])
    assert "Row 4 is not UTF-8 (byte 0xfc)" in job["error"]["detail"]


def test_a_key_that_is_no_column_fails_the_job(run: Run) -> None:
    job = run(HEADER + ROW, key="regoin")
    assert job["error"]["code"] == "missing_key"
    assert "Is “region” meant?" in job["error"]["detail"]


def test_a_gzip_bomb_ends_in_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.reading.lines.MOST_UNPACKED_BYTES", 10_000_000)
    job = run(gzip.compress(HEADER + ROW * 1_000_000), "bomb.csv.gz")
    assert job["error"]["code"] == "too_large"
    blank = run(gzip.compress(HEADER + b"\n" * 1_500_000), "blank.csv.gz")
    assert blank["error"]["code"] == "blank"


def test_nul_and_long_keys_do_not_stop_the_job(run: Run, rows: Callable[..., list[Any]]) -> None:
    content = b"id,experience,education,region\na\x00b,1,2,east\n" + b"k" * 9_000 + b",1,2,east\n"
    job = run(content, key="id")
    assert job["status"] == "succeeded"
    first, second = rows(job)
    assert first["key"] == "a\ufffdb"
    assert second["key"] == "k" * 500


def test_a_nul_in_a_number_is_an_error_of_its_row(run: Run, rows: Callable[..., list[Any]]) -> None:
    job = run(HEADER + ROW + b"1\x002,12,east\n" + ROW)
    assert (job["status"], job["rows_failed"]) == ("partial", 1)
    assert [row["error"] is None for row in rows(job)] == [True, False, True]


def test_infinite_and_missing_numbers_are_errors_of_their_rows(
    run: Run, rows: Callable[..., list[Any]]
) -> None:
    job = run(HEADER + ROW + b"inf,12,east\nNaN,12,east\n1e999,12,east\n,12,east\n")
    assert (job["status"], job["rows_failed"]) == ("partial", 4)
    assert [row["error"] is None for row in rows(job)] == [True, False, False, False, False]


def test_dates_decimals_and_categories_of_parquet_are_taken(run: Run, api: Client) -> None:
    frame = pl.DataFrame(table(5).to_dict("list")).with_columns(
        pl.lit("2026-01-02").str.to_date().alias("hired"),
        pl.col("experience").cast(pl.Decimal(10, 2)),
        pl.col("region").cast(pl.Categorical),
        pl.lit(None).alias("nothing"),
    )
    stream = io.BytesIO()
    frame.write_parquet(stream)
    job = run(stream.getvalue(), "a.parquet")
    assert job["status"] == "succeeded"
    answer = api.get(f"/api/v1/jobs/{job['id']}/result?format=csv")
    assert b"2026-01-02" in b"".join(answer)


def test_it_refuses_a_job_beyond_the_quota(api: Client, cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        Organisation.objects.filter(pk=cast.acme.pk).update(storage_quota=10)
    answer = api.post("/api/v1/models/salary/jobs", {"file": SimpleUploadedFile("a.csv", WHOLE)})
    assert (answer.status_code, answer.json()["type"]) == (413, "/api/problems/quota")


def test_files_of_jobs_take_room_from_uploads_too(
    api: Client, cast: Cast, run: Run, submit: Run
) -> None:
    with tenancy.scope(cast.acme.pk):
        before = stored_bytes()
    run(WHOLE, "a.csv")  # its rows take room, the file itself none any more
    submit(WHOLE, "a.csv")
    with tenancy.scope(cast.acme.pk):
        assert stored_bytes() > before + len(WHOLE)
        Organisation.objects.filter(pk=cast.acme.pk).update(storage_quota=stored_bytes() + 1)
    upload = {"artifact": SimpleUploadedFile("model.skops", b"PK\x03\x04")}
    answer = api.post("/api/v1/models/salary/versions", upload)
    assert (answer.status_code, answer.json()["type"]) == (413, "/api/problems/quota")


def test_it_refuses_a_model_without_a_version_or_with_offline_off(
    api: Client, salary: Version
) -> None:
    api.post("/api/v1/models", {"slug": "empty", "name": "Empty"}, content_type="application/json")
    off = api.put(
        "/api/v1/models/salary/deployments/offline",
        {"is_active": False},
        content_type="application/json",
    )
    assert off.status_code == 200, off.content
    for slug, code in (("empty", "nothing_live"), ("salary", "deployment_off")):
        file = SimpleUploadedFile("a.csv", WHOLE)
        answer = api.post(f"/api/v1/models/{slug}/jobs", {"file": file})
        assert (answer.status_code, answer.json()["type"]) == (409, f"/api/problems/{code}")


def test_it_refuses_a_version_that_is_not_there(api: Client) -> None:
    for version, status in (("7", 404), ("latest", 422), ("0", 422)):
        body = {"file": SimpleUploadedFile("a.csv", WHOLE), "version": version}
        assert api.post("/api/v1/models/salary/jobs", body).status_code == status
