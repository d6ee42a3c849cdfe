"""A dry run: what would become of a file, and nothing kept of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from models_hub.quota import stored_bytes
from portal import tenancy
from tests.cast import Cast
from tests.workers.conftest import table
from tests.workers.test_jobs import parquet

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Try = Callable[..., Any]
HEADER = b"id,experience,education,region\n"


@pytest.fixture
def attempt(api: Client) -> Try:
    def go(content: bytes, name: str = "people.csv", **more: Any) -> Any:
        body = {"file": SimpleUploadedFile(name, content), **more}
        answer = api.post("/api/v1/models/salary/jobs?dry_run=true", body)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return go


def test_it_counts_good_and_bad_rows_and_shows_the_first_bad_ones(
    attempt: Try, api: Client, cast: Cast
) -> None:
    with tenancy.scope(cast.acme.pk):
        before = stored_bytes()
    found = attempt(HEADER + b"a,1,2,east\nb,many,2,east\nc,3\n" + b"d,1,2,east\n" * 30)
    assert (found["rows_read"], found["rows_good"], found["rows_bad"]) == (33, 31, 2)
    assert found["complete"]
    first, second = found["problems"]
    assert (first["row"], first["pointer"]) == (1, "/rows/1/experience")
    assert first["detail"].startswith('"experience" must be a number, but it is "many"')
    assert (second["row"], second["pointer"]) == (2, "/rows/2")
    assert api.get("/api/v1/jobs").json()["items"] == []
    with tenancy.scope(cast.acme.pk):
        assert stored_bytes() == before


def test_it_says_how_the_file_is_read_and_what_its_columns_hold(attempt: Try) -> None:
    found = attempt("id;experience;education;region\nä;1,5;2;east\n".encode("cp1252"))
    assert found["reading"] == {"encoding": "windows-1252", "delimiter": ";", "decimal": ","}
    assert [(c["name"], c["kind"], c["example"]) for c in found["columns"]] == [
        ("id", "text", "ä"),
        ("experience", "number", "1,5"),
        ("education", "integer", "2"),
        ("region", "text", "east"),
    ]
    assert found["mapping"] == {n: n for n in ("experience", "education", "region")}


def test_it_suggests_columns_and_maps_none_of_them_by_itself(attempt: Try) -> None:
    content = "expérience,Education,regoin\n1,2,east\n".encode()
    found = attempt(content)
    assert found["error"]["code"] == "missing_columns"
    assert found["missing"] == ["experience", "region"]
    assert found["suggestions"] == {"experience": "expérience", "region": "regoin"}
    assert found["mapping"] == {"education": "Education"}
    told = '{"experience": "expérience", "region": "regoin"}'
    again = attempt(content, columns=told)
    assert (again["error"], again["rows_good"]) == (None, 1)


def test_a_large_file_is_tried_by_its_first_rows(attempt: Try) -> None:
    found = attempt(HEADER + b"a,1,2,east\n" * 120_000)
    assert found["rows_read"] == 100_000
    assert not found["complete"]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_other_kinds_of_files_are_tried_too(attempt: Try, name: str) -> None:
    frame = table(12)
    content = (
        parquet(frame)
        if name == "a.parquet"
        else frame.to_json(orient="records", lines=True).encode()
    )
    found = attempt(content, name, key="id")
    assert (found["rows_good"], found["rows_bad"], found["complete"]) == (12, 0, True)


def test_what_is_wrong_with_the_whole_file_is_said(attempt: Try) -> None:
    assert attempt(HEADER)["error"]["code"] == "empty"
    assert attempt(HEADER + b'a,1,2,"east\n')["error"]["code"] == "unclosed_quote"
    assert attempt(HEADER + b"a,1,2,east\n", key="ids")["error"]["code"] == "missing_key"
    assert attempt(parquet(table(99))[:-50], "a.parquet")["error"]["code"] == "bad_parquet"
