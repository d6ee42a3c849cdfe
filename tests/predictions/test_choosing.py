"""Choosing an architecture: the figures of this very version, and three questions."""

import re
from typing import Any

import pytest
from django.test import Client

from models_hub import sealing
from predictions.recommending import recommend
from tests import pipelines
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
PAGE = "/models/wages/architectures"
FIGURES = {
    "rows": 2_417,
    "passed": True,
    "ways": {
        "embedded": {
            "worst": 0.0,
            "mismatches": 0,
            "rows_per_second": 41_234,
            "calls": 200,
            "p50_ms": 0.1234,
            "p99_ms": 0.9876,
        },
        "offline": {"worst": 2e-7, "mismatches": 0, "rows_per_second": 87_654},
    },
}


def report(**certificate: Any) -> dict[str, Any]:
    architectures = sealing.architectures({})
    return {"certificate": FIGURES | certificate, "architectures": architectures}


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.browser(cast.alice)


def text(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_it_shows_what_was_measured_for_this_version(cast: Cast, alice: Client) -> None:
    pipelines.seal(cast.acme, "wages", pipelines.wages(), report=report())
    said = text(alice.get(PAGE))
    assert "Measured for version 1 Certified" in said
    assert "2,417 drawn rows went each way" in said
    assert "Embedded 0.12 ms 0.99 ms 41,234" in said
    assert "87,654" in said
    assert "None" not in said
    assert "2 × 10⁻⁷" in said


def test_it_says_which_way_differs(cast: Cast, alice: Client) -> None:
    off = {"worst": 0.01, "mismatches": 3, "rows_per_second": 1, "calls": 1, "p50_ms": 1.0}
    ways = FIGURES["ways"] | {"embedded": off | {"p99_ms": 1.0}}  # type: ignore[operator]  # a dict
    pipelines.seal(cast.acme, "wages", pipelines.wages(), report=report(passed=False, ways=ways))
    said = text(alice.get(PAGE))
    assert "Not certified" in said
    assert "One way answers differently, so this version can’t be promoted" in said
    assert "1 × 10⁻² Differs" in said


def test_without_a_version_it_says_what_to_do_next(cast: Cast, alice: Client) -> None:
    body = {"slug": "wages", "name": "Wages"}
    cast.api().post("/api/v1/models", body, content_type="application/json")
    assert "Nothing to compare yet" in text(alice.get(PAGE))


def test_three_answers_bring_one_recommendation(cast: Cast, alice: Client) -> None:
    pipelines.seal(cast.acme, "wages", pipelines.wages(), report=report())
    said = text(alice.get(PAGE, {"wait": "no", "public": "no", "runner": "us"}))
    assert "Offline predictions Nobody waits" in said
    assert "Choose one of them" not in said


def test_a_missing_answer_is_asked_for_beside_its_question(cast: Cast, alice: Client) -> None:
    pipelines.seal(cast.acme, "wages", pipelines.wages(), report=report())
    said = text(alice.get(PAGE, {"wait": "yes"}))
    assert said.count("Choose one of them.") >= 2
    assert 'id="recommended"' not in alice.get(PAGE, {"wait": "yes"}).content.decode()


@pytest.mark.parametrize(
    ("wait", "public", "runner", "best"),
    [
        ("yes", "no", "nobody", "embedded"),
        ("yes", "yes", "nobody", "browser"),
        ("yes", "no", "us", "published"),
        ("yes", "yes", "us", "published"),
        ("yes", "no", "servers", "dedicated"),
        ("no", "yes", "servers", "offline"),
    ],
)
def test_the_recommendation_fits_the_answers(
    wait: str, public: str, runner: str, best: str
) -> None:
    found = recommend({"wait": wait, "public": public, "runner": runner}, {})
    assert (found.name, found.passed_over) == (best, ())


def test_what_would_fit_better_but_cannot_be_had_is_named_with_its_reason() -> None:
    answers = {"wait": "yes", "public": "yes", "runner": "nobody"}
    found = recommend(answers, {"browser": "It runs natively."})
    assert found.name == "embedded"
    assert found.passed_over == (("browser", "It runs natively."),)


def test_a_corrected_version_says_whose_certificate_it_bears(cast: Cast, alice: Client) -> None:
    pipelines.seal(cast.acme, "wages", pipelines.wages(), report=report())
    api = cast.api()
    body = {"inputs": [], "unit": "dollars"}
    for number in (1, 2):
        path = f"/api/v1/models/wages/versions/{number}/signature"
        made = api.post(path, body, content_type="application/json")
        assert made.status_code == 201, made.content
        assert made.json()["report"]["certificate"]["of"] == 1
    said = text(alice.get(PAGE))
    assert "Measured for version 3 Certified as version 1" in said
    assert "drawn for version 1" in said
