"""The applicant's page through HTTP: as a browser without JavaScript meets it."""

import gzip
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from berth.field import Field
from berth.journal import SEPARATOR, Journal, records_of
from berth.signature import Output, Signature
from models_hub.models import Version
from portal import tenancy
from portal.access import system
from portal.keys import RING
from portal.models import ApiKey, Organisation
from predictions.actions import WidgetSettings, close_widget, create_widget, update_widget
from predictions.architectures import set_active
from predictions.engine import ENGINE
from predictions.models import Widget
from predictions.widget.estimate import rounded, with_unit
from predictions.widget.facts import WIDGETS
from tests.cast import Cast
from tests.runtime.conftest import trained
from tests.workers.conftest import publish

pytestmark = pytest.mark.django_db(databases=["default", "owner"])

QUESTIONS = (
    Field("experience", "number", minimum=0, maximum=40, label="Experience", unit="years"),
    Field(
        "education",
        "integer",
        required=False,
        default=10,
        minimum=1,
        maximum=18,
        label="Years of education",
        help="School and university together.",
    ),
    Field("region", "string", choices=("east", "north", "west"), enforced=frozenset({"choices"})),
)
WAGE = Signature(QUESTIONS, Output("wage", "regression", unit="EUR per year"))
GRADE = Signature(QUESTIONS, Output("grade", "classification", labels=("junior", "senior")))
GOOD = {"in-experience": "12,5", "in-education": "10", "in-region": "west"}
SITE = "https://careers.acme.example"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Pays exactly 30,000 + 1,000 a year of experience + 100 a year of education."""
    return trained(LinearRegression(), lambda f: 30_000 + 1_000 * f.experience + 100 * f.education)


@pytest.fixture
def live(cast: Cast, pipeline: Pipeline) -> Version:
    return publish(cast.acme, "salary", pipeline, WAGE)


@pytest.fixture
def visitor() -> Client:
    """A browser that nobody signed in with."""
    return Client(enforce_csrf_checks=True)


def made(organisation: Organisation, model: str = "", **settings: Any) -> str:
    """The key of a new widget."""
    caller = system(organisation.pk)
    with tenancy.scope(organisation.pk):
        key = create_widget(caller, "Careers page", model).key_id
        update_widget(caller, key, WidgetSettings(model=model, **settings))
    return key


@pytest.fixture
def key(cast: Cast, live: Version) -> str:
    return made(cast.acme, "salary", contact="jobs@acme.example", origins=[SITE])


def text(answer: Any) -> str:
    """The page as it is read."""
    body = re.sub(r"<(template|script).*?</\1>", "", answer.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("\u00a0", " ").split())


def policy(answer: Any) -> dict[str, list[str]]:
    parts = (part.split() for part in answer["Content-Security-Policy"].split("; "))
    return {name: sources for name, *sources in parts}


def test_it_asks_what_the_model_asks(visitor: Client, key: str) -> None:
    answer = visitor.get(f"/w/{key}")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<html lang="en">' in page
    assert '<label for="field-1">Experience</label>' in page
    assert 'inputmode="decimal"' in page
    assert 'id="field-1-unit">years<' in page
    assert "Years of education (optional)" in text(answer)
    assert 'name="in-education" value="10"' in page
    assert page.count('type="radio"') == 3
    assert "Your answers are sent to Acme and kept with the estimate." in text(answer)
    assert 'href="mailto:jobs@acme.example"' in page


def test_it_answers_a_plain_form_with_the_estimate_and_where_it_is_from(
    visitor: Client, key: str
) -> None:
    answer = visitor.post(f"/w/{key}", GOOD)
    assert answer.status_code == 200
    assert "About EUR 43,500 per year" in text(answer)
    assert "An estimate, not an offer. Made by version 1 of Acme’s model “Salary”" in text(answer)
    assert 'value="12,5"' in answer.content.decode()
    assert "Unusual" not in text(answer)


def test_the_call_is_journaled_under_the_widgets_key(
    visitor: Client, key: str, journal: Journal
) -> None:
    visitor.post(f"/w/{key}", GOOD)
    journal.close()
    files = journal.folder.iterdir()
    records = [raw.split(SEPARATOR) for file in files for raw in records_of(file.read_bytes())[0]]
    request, response = next(
        (json.loads(asked), json.loads(told))
        for about, asked, told in records
        if key.encode() in about
    )
    assert request["instances"] == [{"experience": 12.5, "education": 10, "region": "west"}]
    assert response["predictions"] == [pytest.approx(43_500)]


def test_it_names_each_field_that_is_off_beside_it_and_in_a_summary(
    visitor: Client, key: str
) -> None:
    answer = visitor.post(f"/w/{key}", {"in-experience": "long", "in-region": "south"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "<title>Problem: Salary" in page
    assert '<a href="#field-1">Experience: Enter a number, such as 12.5.</a>' in page
    assert '<a href="#field-3-1">Region: Choose one of the options.</a>' in page
    assert 'aria-describedby="field-1-unit field-1-help field-1-error" aria-invalid="true"' in page
    assert 'value="long"' in page
    assert 'id="result"' not in page


def test_what_lies_outside_the_models_experience_is_answered_with_care(
    visitor: Client, key: str
) -> None:
    answer = visitor.post(f"/w/{key}", {**GOOD, "in-experience": "55"})
    assert answer.status_code == 200
    assert "Unusual for this model: treat with care" in text(answer)
    assert "Experience: the model learned from 0 to 40." in text(answer)


def test_a_classifier_names_its_label_and_how_likely_it_finds_it(
    cast: Cast, visitor: Client
) -> None:
    grades = trained(
        LogisticRegression(),
        lambda f: (f.experience > 20).map({True: "senior", False: "junior"}),
    )
    publish(cast.acme, "grade", grades, GRADE)
    answer = visitor.post(f"/w/{made(cast.acme, 'grade')}", {**GOOD, "in-experience": "35"})
    assert re.search(r"Your estimate senior How likely the model finds this: [\dm]", text(answer))


def test_it_needs_no_cookie_and_sets_none(visitor: Client, key: str) -> None:
    for answer in (visitor.get(f"/w/{key}"), visitor.post(f"/w/{key}", GOOD)):
        assert not answer.cookies
        assert not answer.wsgi_request.session.accessed
    assert not visitor.cookies


def test_only_its_own_sites_may_frame_it_and_it_loads_from_nowhere_else(
    visitor: Client, key: str
) -> None:
    answer = visitor.get(f"/w/{key}")
    said = policy(answer)
    assert said.pop("frame-ancestors") == ["'self'", SITE]
    assert said.pop("default-src") == said.pop("base-uri") == ["'none'"]
    assert set(map(tuple, said.values())) == {("'self'",)}
    assert {"script-src", "style-src", "img-src", "connect-src", "form-action"} == set(said)
    assert "X-Frame-Options" not in answer
    assert "style=" not in answer.content.decode()
    assert not re.search(r"<script(?![^>]+src=)", answer.content.decode())


def test_an_unknown_a_revoked_and_a_secret_key_open_nothing(
    cast: Cast, visitor: Client, key: str
) -> None:
    with tenancy.scope(cast.acme.pk):
        close_widget(system(cast.acme.pk), key)
    RING.forget()
    for other in (key, "pk_0000000000000000_000000", "nonsense", cast.key("read")):
        answer = visitor.get(f"/w/{other}")
        assert answer.status_code == 404
        assert "There is no form here" in text(answer)
        assert policy(answer)["frame-ancestors"] == ["'self'"]


def test_a_publishable_key_opens_nothing_but_its_form(key: str) -> None:
    client = Client(headers={"Authorization": f"Bearer {key}"})
    assert client.get("/api/v1/models").status_code == 403


def test_a_widget_without_a_model_says_so_and_takes_the_first_that_is_promoted(
    cast: Cast, visitor: Client, pipeline: Pipeline
) -> None:
    key = made(cast.acme, title="What could you earn?")
    answer = visitor.get(f"/w/{key}")
    assert answer.status_code == 503
    assert "not connected to a model yet" in text(answer)
    publish(cast.acme, "salary", pipeline, WAGE)
    publish(cast.acme, "second", pipeline, WAGE)
    WIDGETS.forget(key)
    answer = visitor.post(f"/w/{key}", GOOD)
    assert "What could you earn?" in text(answer)
    assert "Acme’s model “Salary”" in text(answer)


def test_a_paused_model_says_that_it_is_paused(cast: Cast, visitor: Client, key: str) -> None:
    with tenancy.scope(cast.acme.pk):
        set_active(system(cast.acme.pk), "salary", "embedded", False)
    ENGINE.forget()
    for answer in (visitor.get(f"/w/{key}"), visitor.post(f"/w/{key}", GOOD)):
        assert answer.status_code == 503
        assert "This form is paused" in text(answer)


def test_a_form_that_a_program_filled_in_is_not_answered_and_a_person_can_send_it_again(
    visitor: Client, key: str
) -> None:
    answer = visitor.post(f"/w/{key}", {**GOOD, "homepage": "https://spam.example"})
    assert answer.status_code == 422
    assert "Send it once more" in text(answer)
    assert "spam.example" not in answer.content.decode()
    assert 'value="12,5"' in answer.content.decode()


def test_one_visitor_in_a_hurry_waits_and_keeps_what_was_written(visitor: Client, key: str) -> None:
    answers = [visitor.post(f"/w/{key}", GOOD, REMOTE_ADDR="2001:db8::1") for _ in range(25)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused["Retry-After"]) >= 1
    assert "Wait a second, then send it again." in text(refused)
    assert 'value="12,5"' in refused.content.decode()
    neighbour = visitor.post(f"/w/{key}", GOOD, REMOTE_ADDR="2001:db8::ffff")
    stranger = visitor.post(f"/w/{key}", GOOD, REMOTE_ADDR="2001:db8:0:1::1")
    assert (neighbour.status_code, stranger.status_code) == (429, 200)


def test_behind_a_proxy_of_ours_visitors_are_told_apart_by_what_it_saw(
    visitor: Client, key: str, settings: Any
) -> None:
    settings.ENV = replace(settings.ENV, proxies=1)

    def sent(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return visitor.post(f"/w/{key}", GOOD, REMOTE_ADDR="10.0.0.1", headers=headers).status_code

    assert 429 in [sent(f"203.0.113.{forged}, 198.51.100.7") for forged in range(25)]
    assert sent("203.0.113.0, 198.51.100.8") == 200


def test_a_body_that_is_too_long_is_refused(visitor: Client, key: str) -> None:
    answer = visitor.post(f"/w/{key}", {"in-region": "x" * 200_000})
    assert answer.status_code == 413
    assert "too long" in text(answer)


def test_other_methods_are_refused(visitor: Client, key: str) -> None:
    assert visitor.put(f"/w/{key}").status_code == 405


def test_the_first_visit_from_an_allowed_site_is_kept_and_no_other_one(
    cast: Cast, visitor: Client, key: str
) -> None:
    def seen() -> object:
        with tenancy.scope(cast.acme.pk):
            return Widget.objects.get(key_id=key).seen

    visitor.get(f"/w/{key}?embed=1")
    visitor.get(f"/w/{key}?embed=1", headers={"Referer": "https://other.example/"})
    visitor.get(f"/w/{key}", headers={"Referer": f"{SITE}/jobs"})
    assert seen() is None
    visitor.get(f"/w/{key}?embed=1", headers={"Referer": f"{SITE}/jobs"})
    first = seen()
    assert first is not None
    visitor.get(f"/w/{key}?embed=1", headers={"Referer": f"{SITE}/jobs"})
    assert seen() == first


def test_inside_a_site_it_takes_the_scheme_it_is_told_and_keeps_it_when_sent(
    visitor: Client, key: str
) -> None:
    page = visitor.get(f"/w/{key}?embed=1&theme=dark").content.decode()
    assert '<html lang="en" data-theme="dark" data-embedded' in page
    assert f'action="/w/{key}?embed=1&amp;theme=dark#result"' in page
    assert "data-theme" not in visitor.get(f"/w/{key}?theme=pink").content.decode()


def test_text_from_the_organisation_and_from_the_visitor_stays_text(
    cast: Cast, live: Version, visitor: Client
) -> None:
    evil = "<script>alert(1)</script>"
    key = made(cast.acme, "salary", title=evil, intro=evil, button=evil, contact=evil)
    answer = visitor.post(f"/w/{key}", {**GOOD, "in-experience": f'"{evil}'})
    assert "<script>alert" not in answer.content.decode()


def test_the_widget_of_another_organisation_answers_by_its_own_model(
    cast: Cast, key: str, pipeline: Pipeline, visitor: Client
) -> None:
    dearer = replace(WAGE, output=Output("wage", "regression", unit="USD"))
    publish(cast.other, "salary", pipeline, dearer)
    assert "About USD 43,500" in text(visitor.post(f"/w/{made(cast.other)}", GOOD))
    assert "About EUR 43,500" in text(visitor.post(f"/w/{key}", GOOD))


def test_a_signed_in_person_of_another_organisation_sees_the_form_as_everybody_does(
    cast: Cast, key: str
) -> None:
    assert cast.browser(cast.charlie).get(f"/w/{key}").status_code == 200


def test_the_loader_may_be_fetched_as_a_module_by_every_site_and_is_small(visitor: Client) -> None:
    answer = visitor.get("/widget/v1.js")
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "max-age=" in answer["Cache-Control"]
    assert len(gzip.compress(answer.content)) <= 2048
    again = visitor.get("/widget/v1.js", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    assert not answer.cookies


def test_keys_are_stamped_when_their_form_is_used(cast: Cast, visitor: Client, key: str) -> None:
    visitor.get(f"/w/{key}")
    with tenancy.scope(cast.acme.pk):
        assert ApiKey.objects.get(pk=key).last_used is not None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (62_034.17, 62_000),
        (1_234.5, 1_230),
        (6.1749, 6.17),
        (0.03449, 0.0345),
        (0, 0),
        (-999.6, -1000),
    ],
)
def test_numbers_are_rounded_to_three_digits(value: float, shown: float) -> None:
    assert rounded(value) == shown


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("", "62,000"),
        ("EUR", "EUR 62,000"),
        ("EUR per year", "EUR 62,000 per year"),
        ("€", "€62,000"),
        ("€ per year", "€62,000 per year"),
        ("$/week", "$62,000 /week"),
        ("weeks", "62,000 weeks"),
    ],
)
def test_money_stands_before_the_number_and_other_units_behind(unit: str, shown: str) -> None:
    assert with_unit("62,000", unit).replace("\u00a0", " ") == shown
