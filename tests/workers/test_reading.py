"""Text files as people's programs write them: encodings, delimiters, decimal commas, names."""

import gzip
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from sklearn.pipeline import Pipeline

from tests.workers.conftest import table

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]
HEADER = "experience;education;region;name\n"


def european(frame: pd.DataFrame) -> str:
    """As a spreadsheet in Zürich or Łódź saves it."""
    text: str = frame.assign(name="Żółć; Grüße").to_csv(index=False, sep=";", decimal=",")
    return text


ENCODED: dict[str, tuple[str, dict[str, str], str]] = {
    "utf-8": ("Grüße", {}, "utf-8"),
    "utf-8-sig": ("Grüße", {}, "utf-8"),
    "utf-16": ("Żółć", {}, "utf-16"),
    "utf-16-le": ("Grüße", {}, "utf-16le"),
    "utf-16-be": ("Grüße", {}, "utf-16be"),
    "cp1252": ("Grüße €", {}, "windows-1252"),
    "cp1250": ("Żółć", {"encoding": "windows-1250"}, "windows-1250"),
    "cp932": ("東京", {"encoding": "Shift_JIS"}, "shift_jis"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("encoding", ENCODED)
def test_a_text_in_any_encoding_is_read_as_it_was_written(
    run: Run, api: Client, encoding: str, packed: bool
) -> None:
    name, told, found = ENCODED[encoding]
    content = f"{HEADER}10;12;east;{name}\n".encode(encoding)
    file = (gzip.compress(content), "a.csv.gz") if packed else (content, "a.csv")
    job = run(*file, **told)
    assert (job["status"], job["error"]) == ("succeeded", None)
    assert (job["reading"]["encoding"], job["reading"]["delimiter"]) == (found, ";")
    result = b"".join(api.get(f"/api/v1/jobs/{job['id']}/result?format=csv")).decode()
    assert result.splitlines()[1].split(",")[3] == name


def test_json_lines_in_utf_16_are_read_too(run: Run) -> None:
    line = '{"experience": 1, "education": 2, "region": "east"}\n'
    job = run((line * 3).encode("utf-16"), "a.jsonl")
    assert (job["status"], job["rows_total"]) == ("succeeded", 3)


def test_decimal_commas_are_found_and_give_the_same_predictions(
    run: Run, rows: Callable[..., list[Any]], regressor: Pipeline
) -> None:
    frame = table()
    frame["experience"] += 0.25
    job = run(european(frame).encode("utf-16"))
    assert (job["status"], job["reading"]["decimal"]) == ("succeeded", ",")
    got = [row["prediction"] for row in rows(job)]
    np.testing.assert_allclose(got, regressor.predict(frame), rtol=1e-9)


def test_groups_and_commas_are_read_as_told_and_what_is_neither_is_its_rows_error(
    run: Run, rows: Callable[..., list[Any]], regressor: Pipeline
) -> None:
    cells = ["1.234,5", "1 234,5", "-0,5", "12", "1.234", "1.5", "1,2,3"]
    content = HEADER + "".join(f"{cell};12;east;x\n" for cell in cells)
    found = rows(run(content.encode(), decimal=","))
    values = [1234.5, 1234.5, -0.5, 12, 1234]
    frame = pd.DataFrame({"experience": values, "education": 12, "region": "east"})
    got = [row["prediction"] for row in found[:5]]
    np.testing.assert_allclose(got, regressor.predict(frame), rtol=1e-9)
    assert 'must be a number with a decimal comma, but it is "1.5"' in found[5]["error"]
    assert found[6]["prediction"] is None


def test_what_may_be_a_thousand_or_a_little_more_than_one_is_not_guessed(run: Run) -> None:
    content = HEADER + "1,234;12;east;x\n2,500;12;east;x\n"
    job = run(content.encode())
    assert (job["status"], job["rows_failed"]) == ("partial", 2)
    assert run(content.encode(), decimal=",")["status"] == "succeeded"


def test_the_callers_own_cells_come_back_as_they_were(run: Run, api: Client) -> None:
    job = run(f"{HEADER}1.234,5;12;east;x\n".encode())
    result = b"".join(api.get(f"/api/v1/jobs/{job['id']}/result?format=csv")).decode()
    assert result.splitlines()[1].startswith('"1.234,5",12,east,x,')


def test_a_delimiter_may_be_told(run: Run) -> None:
    content = b"experience|education|region|a,b,c,d,e\n1|2|east|x\n"
    assert run(content, delimiter="pipe")["reading"]["delimiter"] == "|"
    failed = run(content, delimiter="semicolon")
    assert failed["error"]["code"] == "missing_columns"


def test_names_that_differ_in_case_and_spaces_alone_are_matched(run: Run) -> None:
    job = run(b"EXPERIENCE,Education ,re_gion\n1,2,east\n")
    assert job["status"] == "succeeded"
    assert job["columns"]["region"] == "re_gion"
    both = run(b"Experience,EXPERIENCE,education,region\n1,1,2,east\n")
    assert both["error"]["code"] == "missing_columns"


def test_columns_are_what_the_caller_says(
    run: Run, rows: Callable[..., list[Any]], regressor: Pipeline
) -> None:
    frame = table(5)
    renamed = frame.rename(columns={"education": "Years of school", "region": "Ort"})
    told = '{"education": "Years of school", "region": "Ort"}'
    job = run(renamed.to_csv(index=False).encode(), columns=told)
    assert job["columns"] == {
        "experience": "experience",
        "education": "Years of school",
        "region": "Ort",
    }
    got = [row["prediction"] for row in rows(job)]
    np.testing.assert_allclose(got, regressor.predict(frame), rtol=1e-9)
    lacking = run(frame.to_csv(index=False).encode(), columns=told)
    assert lacking["error"]["code"] == "missing_columns"


BAD_ORDERS = {
    "encoding": ({"encoding": "klingon"}, "/encoding", "unknown_choice"),
    "decimal": ({"decimal": ";"}, "/decimal", "unknown_choice"),
    "delimiter": ({"delimiter": "x"}, "/delimiter", "unknown_choice"),
    "no json": ({"columns": "education=years"}, "/columns", "bad_json"),
    "a list": ({"columns": '["years"]'}, "/columns", "wrong_type"),
    "a number": ({"columns": '{"education": 3}'}, "/columns", "wrong_type"),
    "no input": ({"columns": '{"eduction": "years"}'}, "/columns/eduction", "unknown_field"),
    "no job": ({"retry_of": "7"}, "/retry_of", "wrong_type"),
    "no version": ({"version": "true"}, "/version", "wrong_type"),
}


@pytest.mark.parametrize("dry", ["", "?dry_run=true"], ids=["job", "dry run"])
@pytest.mark.parametrize("case", BAD_ORDERS)
def test_it_refuses_what_is_no_order_and_points_at_it(api: Client, case: str, dry: str) -> None:
    told, place, code = BAD_ORDERS[case]
    body = {"file": SimpleUploadedFile("a.csv", b"x\n1\n"), **told}
    answer = api.post(f"/api/v1/models/salary/jobs{dry}", body)
    assert answer.status_code == 422
    problem = answer.json()["errors"][0]
    assert (problem["pointer"], problem["code"]) == (place, code)
