"""One certificate a version: the same rows each way, and no promotion where one differs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from berth import bundle
from models_hub import sealing
from models_hub.conversion.answers import Answers
from portal.errors import Unavailable
from tests import pipelines
from tests.cast import Cast
from workers.certifying import certify
from workers.certifying.ways import WAYS, Candidate, Rows

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def certificate(trained: pipelines.Trained, cast: Cast) -> dict[str, Any]:
    made = {"created_at": "2026-01-01T00:00:00+00:00"}
    sealed = bundle.seal(trained.onnx, trained.signature, made, sealing.signing_key())
    return certify(cast.acme.pk, sealed)


@pytest.fixture
def embedded_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Let the embedded way do something else."""

    def put(answer: Callable[[Candidate, Rows], Answers]) -> None:
        monkeypatch.setitem(WAYS, "embedded", replace(WAYS["embedded"], answer=answer))

    return put


@pytest.mark.parametrize("make", [pipelines.wages, pipelines.grades, pipelines.cps])
def test_every_way_answers_two_thousand_rows_alike(
    make: Callable[[], pipelines.Trained], cast: Cast
) -> None:
    found = certificate(make(), cast)
    assert found["passed"]
    assert found["rows"] >= 2_000
    assert {name: way["mismatches"] for name, way in found["ways"].items()} == dict.fromkeys(
        WAYS, 0
    )


def test_it_says_how_long_each_way_takes(cast: Cast) -> None:
    ways = certificate(pipelines.wages(), cast)["ways"]
    for name, way in WAYS.items():
        assert ways[name]["rows_per_second"] > 0
        assert ("p50_ms" in ways[name]) == way.is_live
        if way.is_live:
            assert ways[name]["calls"] > 0
            assert 0 < ways[name]["p50_ms"] <= ways[name]["p99_ms"]


def test_a_way_that_differs_on_one_row_fails_the_certificate(
    cast: Cast, embedded_is: Callable[[Any], None]
) -> None:
    honest = WAYS["embedded"].answer

    def off(candidate: Candidate, rows: Rows) -> Answers:
        found = honest(candidate, rows)
        return Answers(np.concatenate([found.values[:-1], found.values[-1:] * 1.01]))

    embedded_is(off)
    found = certificate(pipelines.wages(), cast)
    assert not found["passed"]
    assert found["ways"]["embedded"]["mismatches"] == 1
    assert found["ways"]["embedded"]["worst"] == pytest.approx(0.01)
    assert found["ways"]["offline"]["mismatches"] == 0


def test_a_way_that_breaks_fails_the_certificate_and_says_why(
    cast: Cast, embedded_is: Callable[[Any], None]
) -> None:
    def broken(candidate: Candidate, rows: Rows) -> Answers:
        raise ValueError("it can't")

    embedded_is(broken)
    found = certificate(pipelines.wages(), cast)
    assert not found["passed"]
    assert found["ways"]["embedded"] == {"failed": "it can't"}


def test_an_outage_is_no_word_about_the_version(
    cast: Cast, embedded_is: Callable[[Any], None]
) -> None:
    def away(candidate: Candidate, rows: Rows) -> Answers:
        raise Unavailable("Not just now.")

    embedded_is(away)
    with pytest.raises(Unavailable):
        certificate(pipelines.wages(), cast)
