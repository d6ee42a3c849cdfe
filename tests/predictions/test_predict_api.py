"""Live predictions by the API: what is answered, and what is refused with the place and the way."""

import json
import math
import time
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.test import Client

from berth.keys import id_of
from portal import tenancy
from portal.access import system
from portal.actions import create_publishable_key
from portal.actions.keys import revoke_key
from portal.keys import RING
from portal.models import Organisation
from predictions.architectures import set_active
from tests import pipelines
from tests.cast import Cast
from tests.models_hub import zoo
from tests.predictions.conftest import Ask, strict

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
ROW = {"education": 12, "experience": 10.5, "city": "Oslo", "level": "senior"}


def refused(answer: Any, status: int = 422) -> dict[str, Any]:
    """The refusal's first error, of an answer that is a whole problem."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= problem.keys()
    errors: list[dict[str, Any]] = problem.get("errors") or [{}]
    return errors[0]


def test_rows_get_scikit_learns_predictions(ask: Ask) -> None:
    rows = pipelines.wages().instances(40)
    answer = ask({"instances": rows})
    assert answer.status_code == 200, answer.content
    content = answer.json()
    assert (content["model"], content["version"]) == ("wages", 1)
    assert content.keys() == {"id", "model", "version", "predictions"}
    assert content["id"][14] == "7"  # a UUIDv7
    np.testing.assert_allclose(content["predictions"], pipelines.wages().predict(rows), rtol=1e-5)


def test_columns_get_the_same_as_rows(ask: Ask) -> None:
    rows = pipelines.wages().instances(40)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    by_column, by_row = ask({"columns": columns}).json(), ask({"instances": rows}).json()
    assert by_column["predictions"] == by_row["predictions"]


def test_classifiers_add_probabilities_and_their_labels(ask: Ask, cast: Cast) -> None:
    grades = pipelines.grades()
    pipelines.publish(cast.acme, "grades", grades)
    rows = grades.instances(20)
    content = ask({"instances": rows}, "grades").json()
    assert content["predictions"] == grades.predict(rows)
    assert content["labels"] == ["high", "low", "mid"]
    np.testing.assert_allclose(
        content["probabilities"], grades.pipeline.predict_proba(grades.rows.head(20)), rtol=1e-4
    )


def test_12_and_12_0_are_the_same(ask: Ask) -> None:
    answers = [
        ask('{"instances": [{"education": ' + text + "}]}").json()["predictions"]
        for text in ("12", "12.0", "1.2e1")
    ]
    assert answers[0] == answers[1] == answers[2]


def test_gaps_and_unknown_categories_pass_where_the_pipeline_handles_them(ask: Ask) -> None:
    rows = [
        {**ROW, "city": None, "experience": None},
        {**ROW, "city": "Atlantis"},
        {"level": "junior", "education": 9, "city": None, "experience": None},
    ]
    content = ask({"instances": rows}).json()
    np.testing.assert_allclose(content["predictions"], pipelines.wages().predict(rows), rtol=1e-5)
    assert content["warnings"] == [
        {
            "pointer": "/instances/1/city",
            "code": "unknown_choice",
            "detail": content["warnings"][0]["detail"],
        }
    ]
    assert "Atlantis" in content["warnings"][0]["detail"]


def test_a_field_that_may_be_left_out_takes_its_default(ask: Ask) -> None:
    defaults = {field.name: field.default for field in pipelines.wages().signature.inputs}
    whole, empty = ask({"instances": [defaults]}).json(), ask({"instances": [{}]}).json()
    assert whole["predictions"] == empty["predictions"]


def test_what_lies_outside_the_sample_warns_and_is_answered(ask: Ask) -> None:
    content = ask({"instances": [ROW, {**ROW, "education": 3}]}).json()
    assert len(content["predictions"]) == 2
    assert [w["pointer"] for w in content["warnings"]] == ["/instances/1/education"]
    assert "outside the range 8 to 20" in content["warnings"][0]["detail"]


BAD_CELLS: list[tuple[str, str, str]] = [
    ("education", '"12"', "wrong_type"),
    ("education", "true", "wrong_type"),
    ("education", "[12]", "wrong_type"),
    ("education", "NaN", "not_finite"),
    ("experience", "Infinity", "not_finite"),
    ("experience", "-Infinity", "not_finite"),
    ("experience", "1e999", "not_finite"),
    ("experience", "12345678901234567890", "inexact"),
    ("experience", "null", "null"),
    ("city", "7", "wrong_type"),
    ("city", "null", "null"),
    ("city", '"\\ud800"', "not_text"),
    ("city", '"a\\u0000b"', "not_text"),
    ("level", '"boss"', "unknown_choice"),
]


@pytest.fixture
def strict_ask(ask: Ask, cast: Cast) -> Ask:
    pipelines.publish(cast.acme, "strict", pipelines.wages(), strict())
    return lambda body: ask(body, "strict")


@pytest.mark.parametrize(("name", "cell", "code"), BAD_CELLS)
def test_a_bad_cell_is_named_by_row_and_field(
    strict_ask: Ask, name: str, cell: str, code: str
) -> None:
    body = json.dumps({"instances": [ROW, {**ROW, name: "CELL"}]})
    error = refused(strict_ask(body.replace('"CELL"', cell)))
    assert (error["pointer"], error["code"]) == (f"/instances/1/{name}", code)
    assert f'"{name}"' in error["detail"]


def test_a_bad_cell_of_a_column_is_named_by_field_and_row(strict_ask: Ask) -> None:
    columns: dict[str, list[Any]] = {name: [value, value] for name, value in ROW.items()}
    columns["education"][1] = "12"
    error = refused(strict_ask({"columns": columns}))
    assert (error["pointer"], error["code"]) == ("/columns/education/1", "wrong_type")


def test_every_bad_cell_is_named_at_once(strict_ask: Ask) -> None:
    answer = strict_ask({"instances": [{**ROW, "education": "x"}, {"city": 7, "town": 1}]})
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == [
        "/instances/0/education",
        "/instances/1/city",
        "/instances/1/education",
        "/instances/1/experience",
        "/instances/1/level",
        "/instances/1/town",
    ]


def test_a_missing_field_is_named(strict_ask: Ask) -> None:
    row = {name: value for name, value in ROW.items() if name != "level"}
    error = refused(strict_ask({"instances": [ROW, row]}))
    assert (error["pointer"], error["code"]) == ("/instances/1/level", "missing")


def test_an_unknown_field_is_named_with_its_likely_name(ask: Ask) -> None:
    error = refused(ask({"instances": [{**ROW, "educaton": 1}]}))
    assert (error["pointer"], error["code"]) == ("/instances/0/educaton", "unknown_field")
    assert 'Did you mean "education"?' in error["detail"]
    assert refused(ask({"instances": [{"a/b~": 1}]}))["pointer"] == "/instances/0/a~1b~0"


def test_columns_of_different_lengths_are_refused(ask: Ask) -> None:
    error = refused(ask({"columns": {"education": [1, 2], "experience": [1]}}))
    assert (error["pointer"], error["code"]) == ("/columns/experience", "unequal_length")


@pytest.mark.parametrize("part", ["instances", "columns"])
def test_too_many_rows_are_refused_with_the_limit(
    ask: Ask, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_ROWS_PER_CALL", 3)
    body = {"instances": [ROW] * 4, "columns": {name: [v] * 4 for name, v in ROW.items()}}
    error = refused(ask({part: body[part]}))
    assert (error["pointer"], error["code"]) == (f"/{part}", "too_many_rows")
    assert "at most 3 rows" in error["detail"]
    assert ask({"instances": [ROW] * 3}).status_code == 200


SHAPES: list[tuple[str, str, str]] = [
    ("[]", "", "wrong_type"),
    ("7", "", "wrong_type"),
    ("null", "", "wrong_type"),
    ('"text"', "", "wrong_type"),
    ("{}", "/instances", "required"),
    ('{"instances": [], "columns": {}}', "/instances", "required"),
    ('{"instances": []}', "/instances", "no_rows"),
    ('{"columns": {}}', "/columns", "no_rows"),
    ('{"instances": {}}', "/instances", "wrong_type"),
    ('{"instances": "x"}', "/instances", "wrong_type"),
    ('{"columns": []}', "/columns", "wrong_type"),
    ('{"columns": {"education": 7}}', "/columns", "no_rows"),
    ('{"instances": [7]}', "/instances/0", "not_an_object"),
    ('{"instances": [[12]]}', "/instances/0", "not_an_object"),
    ('{"instances": [{}], "version": "1"}', "/version", "wrong_type"),
    ('{"instances": [{}], "version": true}', "/version", "wrong_type"),
    ('{"instances": [{}], "a/b": 1}', "/a~1b", "unknown"),
]


@pytest.mark.parametrize(("body", "pointer", "code"), SHAPES)
def test_a_body_of_another_shape_is_told_what_shape_is_wanted(
    ask: Ask, body: str, pointer: str, code: str
) -> None:
    error = refused(ask(body))
    assert (error["pointer"], error["code"]) == (pointer, code)


def test_an_empty_body_is_told_what_shape_is_wanted(ask: Ask) -> None:
    assert refused(ask(b""))["code"] == "wrong_type"


NOT_JSON = [b"{", b"{'a': 1}", b'{"instances": [}', b"\xff", b"instances=1", b"[" * 100_000]


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:12]))
def test_a_body_that_is_not_json_is_a_bad_request(ask: Ask, body: bytes) -> None:
    answer = ask(body)
    refused(answer, 400)
    assert answer.json()["type"] == "/api/problems/bad_json"


TWICE = [
    '{"instances": [{"education": 12, "education": 13}]}',
    '{"instances": [{"education": NaN, "education": 13}]}',
    '{"instances": [{}], "instances": [{}]}',
    '{"columns": {"city": ["a:b"], "city": ["c"]}}',
]


@pytest.mark.parametrize("body", TWICE)
def test_a_name_given_twice_is_refused_rather_than_guessed(ask: Ask, body: str) -> None:
    answer = ask(body)
    refused(answer, 400)
    assert answer.json()["type"] == "/api/problems/repeated_name"


def test_colons_in_texts_are_no_names(ask: Ask) -> None:
    assert ask({"instances": [{**ROW, "city": "::a:b"}]}).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]
)
def test_another_content_type_is_refused(ask: Ask, kind: str) -> None:
    answer = ask({"instances": [ROW]}, content_type=kind)
    refused(answer, 415)


def test_json_with_a_charset_is_json(ask: Ask) -> None:
    kind = "Application/JSON; charset=utf-8"
    assert ask({"instances": [ROW]}, content_type=kind).status_code == 200


def test_a_body_beyond_the_limit_is_too_large(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", 1000)
    answer = ask({"instances": [ROW] * 100})
    refused(answer, 413)
    assert "1,000 bytes" in answer.json()["detail"]


def test_a_version_can_be_asked_by_its_number(ask: Ask, cast: Cast) -> None:
    pipelines.seal(cast.acme, "wages", pipelines.wages())
    assert ask({"instances": [ROW]}).json()["version"] == 1
    assert ask({"instances": [ROW], "version": 2}).json()["version"] == 2
    for absent in (3, 0, -1, 2**40):
        refused(ask({"instances": [ROW], "version": absent}), 404)


def test_a_model_without_a_live_version_is_a_conflict(ask: Ask, cast: Cast) -> None:
    pipelines.seal(cast.acme, "fresh", pipelines.wages())
    answer = ask({"instances": [ROW]}, "fresh")
    refused(answer, 409)
    assert answer.json()["type"] == "/api/problems/nothing_live"
    assert ask({"instances": [ROW], "version": 1}, "fresh").status_code == 200


def test_a_deployment_that_is_off_is_a_conflict(ask: Ask, cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        set_active(system(cast.acme.pk), "wages", "embedded", False)
    answer = ask({"instances": [ROW]})
    refused(answer, 409)
    assert answer.json()["type"] == "/api/problems/deployment_off"


def test_an_outsider_finds_no_such_model(ask: Ask, cast: Cast) -> None:
    charlie = cast.api(organisation=cast.other)
    theirs = ask({"instances": [ROW]}, client=charlie)
    absent = ask({"instances": [ROW]}, "nothing", client=charlie)
    refused(theirs, 404)
    assert theirs.json()["detail"] == absent.json()["detail"]


def test_a_key_without_the_scope_predict_may_not_ask(ask: Ask, cast: Cast) -> None:
    answer = ask({"instances": [ROW]}, client=cast.api("read"))
    refused(answer, 403)
    assert "scope “predict”" in answer.json()["detail"]
    assert ask({"instances": [ROW]}, client=cast.api("predict")).status_code == 200


def test_a_publishable_key_opens_no_api(ask: Ask, cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        text = create_publishable_key(system(cast.acme.pk), "widget").text
    answer = ask({"instances": [ROW]}, client=Client(headers={"Authorization": f"Bearer {text}"}))
    refused(answer, 403)
    assert "publishable key" in answer.json()["detail"]


def test_a_revoked_key_stops_within_the_time_it_may_take(
    ask: Ask, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RING, "ttl", 0.3)
    text = cast.key()
    client = Client(headers={"Authorization": f"Bearer {text}"})
    assert ask({"instances": [ROW]}, client=client).status_code == 200
    with tenancy.scope(cast.acme.pk):
        revoke_key(system(cast.acme.pk), id_of(text))
    time.sleep(0.35)
    answer = ask({"instances": [ROW]}, client=client)
    refused(answer, 401)
    assert answer["WWW-Authenticate"] == 'Bearer realm="berth"'


def test_too_many_calls_are_told_when_to_come_again(ask: Ask, cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        Organisation.objects.update(calls_per_minute=6)
    client = cast.api()
    assert ask({"instances": [ROW]}, client=client).status_code == 200
    answer = ask({"instances": [ROW]}, client=client)
    refused(answer, 429)
    assert 1 <= int(answer["Retry-After"]) <= 10


@pytest.mark.skipif(not zoo.CPS.exists(), reason=f"needs {zoo.CPS.name} beside the project")
def test_every_row_of_cps1988_is_answered_as_by_scikit_learn(ask: Ask, cast: Cast) -> None:
    cps = pipelines.cps()
    pipelines.publish(cast.acme, "cps", cps)
    answers: list[float] = []
    for start in range(0, len(cps.rows), 5_000):
        answer = ask({"instances": cps.instances(5_000, start)}, "cps")
        assert answer.status_code == 200, answer.content
        answers += answer.json()["predictions"]
    assert len(answers) == 28_155
    np.testing.assert_allclose(answers, cps.pipeline.predict(cps.rows), rtol=1e-5)
    assert all(map(math.isfinite, answers))
