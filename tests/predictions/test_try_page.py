"""Trying a model by its form, and choosing where it is deployed."""

import ast
import re
from typing import Any

import pytest
from django.test import Client
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from berth.signature import Output, Signature
from models_hub.actions import correct_signature
from models_hub.doors import deployments_of
from models_hub.models import Version
from portal import tenancy
from portal.access import system
from predictions.architectures import ARCHITECTURES
from predictions.architectures.published import public_key
from tests.cast import Cast
from tests.runtime.conftest import INPUTS, trained
from tests.workers.conftest import publish

LEVELS = Signature(INPUTS, Output("level", "classification", labels=("junior", "senior")))

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


@pytest.fixture(scope="session")
def regressor() -> Pipeline:
    return trained(LinearRegression(), lambda frame: 10 + 2 * frame.experience + frame.education)


@pytest.fixture(scope="session")
def classifier() -> Pipeline:
    return trained(
        LogisticRegression(),
        lambda frame: (frame.experience > 20).map({True: "senior", False: "junior"}),
    )


@pytest.fixture
def salary(cast: Cast, regressor: Pipeline) -> Version:
    return publish(cast.acme, "salary", regressor)


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.browser(cast.alice)


def text(answer: Any) -> str:
    body = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(body.replace("&quot;", '"').replace("&#x27;", "'").split())


def filled(answer: Any) -> dict[str, str]:
    """What the form on the page sends as it stands."""
    form = answer.content.decode().partition('id="ask"')[2].partition("</form>")[0]
    inputs = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form))
    chosen = re.findall(r'<input type="radio"[^>]*name="([^"]+)" value="([^"]*)" checked', form)
    selects = re.findall(
        r'<select[^>]*name="([^"]+)".*?<option value="([^"]*)" selected', form, re.DOTALL
    )
    inputs.pop("csrfmiddlewaretoken", None)
    return {**inputs, **dict(chosen), **dict(selects)}


def test_the_form_comes_filled_in_and_answers(alice: Client, salary: Version) -> None:
    sent = filled(alice.get("/models/salary/try"))
    answer = alice.post("/models/salary/try", {**sent, "in-education": "12", "in-experience": "5"})
    assert answer.status_code == 200
    assert "answered in" in text(answer)
    assert "curl http://testserver/api/v1/models/salary/predict" in text(answer)
    assert '"education": 12' in text(answer).replace("12.0", "12")
    assert '"predictions": [' in text(answer)


def test_what_does_not_fit_is_said_beside_its_field(alice: Client, salary: Version) -> None:
    sent = filled(alice.get("/models/salary/try"))
    answer = alice.post("/models/salary/try", {**sent, "in-education": "twelve"})
    assert answer.status_code == 422
    assert "There is a problem" in text(answer)
    assert "Enter a number" in text(answer) or "Enter a whole number" in text(answer)
    assert 'value="twelve"' in answer.content.decode()
    assert "answered in" not in text(answer)


def test_two_versions_answer_side_by_side(cast: Cast, alice: Client, salary: Version) -> None:
    with tenancy.scope(cast.acme.pk):
        change = {"name": "education", "label": "Schooling"}
        correct_signature(system(cast.acme.pk), "salary", 1, [change])
    page = alice.get("/models/salary/try?version=1&against=2")
    answer = alice.post("/models/salary/try", filled(page))
    assert "Both versions give the same answer." in text(answer)
    assert text(answer).count("answered in") == 2


def test_a_version_that_is_not_live_is_named_in_the_call(
    cast: Cast, alice: Client, salary: Version
) -> None:
    with tenancy.scope(cast.acme.pk):
        change = {"name": "education", "label": "Schooling"}
        correct_signature(system(cast.acme.pk), "salary", 1, [change])
    page = alice.get("/models/salary/try?version=2")
    assert "Schooling" in text(page)
    assert '"version": 2' in text(alice.post("/models/salary/try", filled(page)))


def test_a_version_that_is_not_there_is_not_found(alice: Client, salary: Version) -> None:
    assert alice.get("/models/salary/try?version=9").status_code == 404


def test_a_classifier_shows_its_probabilities(
    cast: Cast, alice: Client, classifier: Pipeline
) -> None:
    publish(cast.acme, "level", classifier, LEVELS)
    answer = alice.post("/models/level/try", filled(alice.get("/models/level/try")))
    assert "Probability" in text(answer)
    assert "junior" in text(answer)


def test_the_architectures_are_listed_honestly(alice: Client, salary: Version) -> None:
    page = text(alice.get("/models/salary/deploy"))
    for title in (
        "Embedded",
        "Offline predictions",
        "Dedicated model API",
        "In the applicant’s browser",
    ):
        assert title in page
    assert "Version 1 answers." in page
    assert "Model servers do not answer for it." in page


@pytest.mark.parametrize(
    ("name", "language"), [("published", "Python"), ("dedicated", "tritonclient")]
)
def test_the_code_to_copy_is_python(cast: Cast, salary: Version, name: str, language: str) -> None:
    with tenancy.scope(cast.acme.pk):
        deployment = deployments_of(salary.model)[name]
        snippets = ARCHITECTURES[name].usage(deployment, "https://berth.example")
    (code,) = [snippet.code for snippet in snippets if snippet.language == language]
    ast.parse(code)
    for column in ("experience", "education", "region"):
        assert column in code


def test_switching_embedded_off_stops_answers_until_it_is_on_again(
    alice: Client, salary: Version
) -> None:
    answer = alice.post("/models/salary/deployments/embedded", {"is_active": "0"}, follow=True)
    assert "Embedded: switched off." in text(answer)
    sent = filled(alice.get("/models/salary/try"))
    assert "switched off" in text(alice.post("/models/salary/try", sent))
    answer = alice.post("/models/salary/deployments/embedded", {"is_active": "1"}, follow=True)
    assert "Version 1 answers." in text(answer)


@pytest.mark.parametrize("name", ["dedicated", "published"])
def test_who_follows_nothing_yet_is_told_how_to(alice: Client, salary: Version, name: str) -> None:
    answer = alice.post(f"/models/salary/deployments/{name}", {"is_active": "1"}, follow=True)
    page = text(answer)
    if name == "dedicated":
        assert "No model server has reported" in page
        assert "berth serve --feed http://testserver" in page
        assert "/v2/models/salary/infer" in page
    else:
        assert "No application has reported" in page
        assert "Subscriber(" in page
        assert public_key() in page


def test_an_architecture_that_nobody_knows_is_not_found(alice: Client, salary: Version) -> None:
    answer = alice.post("/models/salary/deployments/telepathy", {"is_active": "1"})
    assert answer.status_code == 404
