"""Widgets in the portal: the pages, what they refuse, what they leave in the audit log."""

from html import unescape
from typing import Any

import pytest
from django.test import Client
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from portal import tenancy
from portal.keys import RING
from portal.models import AuditEntry
from predictions.models import Widget
from predictions.origins import origin_of, read_origin
from tests.cast import Cast
from tests.runtime.conftest import trained
from tests.workers.conftest import publish

pytestmark = pytest.mark.django_db(databases=["default", "owner"])

SETTINGS = {
    "model": "-",
    "title": "What could you earn?",
    "intro": "Three questions.",
    "button": "Estimate",
    "contact": "jobs@acme.example",
    "origins": "https://Careers.Acme.example/\n\nhttp://localhost:3000\nhttps://careers.acme.example",
}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return trained(LinearRegression(), lambda frame: frame.experience)


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.browser(cast.alice)


@pytest.fixture
def key(alice: Client) -> str:
    answer = alice.post("/widgets/new", {"name": "Careers page", "model": "-"})
    assert answer.status_code == 302
    return str(answer["Location"]).rpartition("/")[2]


def read(answer: Any) -> str:
    return unescape(answer.content.decode())


def saved(cast: Cast, key: str) -> Widget:
    with tenancy.scope(cast.acme.pk):
        return Widget.objects.select_related("model", "key").get(key_id=key)


def test_the_list_says_what_to_do_while_it_is_empty(cast: Cast, alice: Client) -> None:
    assert 'href="/widgets/new"' in read(alice.get("/widgets"))
    assert "An admin or owner makes the first one" in read(cast.browser(cast.bob).get("/widgets"))


def test_a_widget_may_come_before_its_model(cast: Cast, alice: Client, key: str) -> None:
    assert saved(cast, key).model is None
    assert saved(cast, key).key.kind == "publishable"
    assert "Waits for a model" in read(alice.get("/widgets"))
    assert "It will answer as soon as a model is promoted" in read(alice.get(f"/widgets/{key}"))


def test_it_takes_the_first_promoted_model_until_one_is_chosen(
    cast: Cast, alice: Client, key: str, pipeline: Pipeline
) -> None:
    publish(cast.acme, "salary", pipeline)
    publish(cast.acme, "bonus", pipeline)
    assert "Salary answers" in read(alice.get("/widgets"))
    alice.post(f"/widgets/{key}", {**SETTINGS, "model": "bonus"})
    assert "Bonus answers" in read(alice.get("/widgets"))


def test_the_page_offers_code_to_copy_as_text_and_the_hosted_address(
    alice: Client, key: str
) -> None:
    alice.post(f"/widgets/{key}", {**SETTINGS, "title": 'Pay "<b>'})
    page = alice.get(f"/widgets/{key}").content.decode()
    assert page.count("<berth-widget ") == 1  # the preview; the code is text
    assert f"http://testserver/w/{key}" in page
    code = unescape(page.partition("<pre")[2].partition("</pre>")[0])
    assert '<script type="module" src="http://testserver/widget/v1.js"></script>' in code
    assert f'<berth-widget key="{key}" title="Pay &quot;&lt;b&gt;">' in code
    assert "script-src http://testserver\nframe-src http://testserver" in unescape(page)


def test_settings_are_kept_with_each_site_once_and_in_one_spelling(
    cast: Cast, alice: Client, key: str
) -> None:
    answer = alice.post(f"/widgets/{key}", SETTINGS, follow=True)
    assert "Saved." in read(answer)
    widget = saved(cast, key)
    assert widget.origins == ["https://careers.acme.example", "http://localhost:3000"]
    assert (widget.title, widget.button) == ("What could you earn?", "Estimate")
    assert "Not seen on your site yet" in read(answer)


def test_a_change_is_audited_once_by_what_changed(cast: Cast, alice: Client, key: str) -> None:
    for _ in range(2):
        alice.post(f"/widgets/{key}", {**SETTINGS, "origins": ""})
    with tenancy.scope(cast.acme.pk):
        entries = list(AuditEntry.objects.filter(target="widget").order_by("id"))
    assert [entry.action for entry in entries] == ["widget.created", "widget.changed"]
    assert entries[1].detail["changed"] == ["title", "intro", "button", "contact"]
    assert entries[1].label == "Careers page"


@pytest.mark.parametrize(
    ("site", "message"),
    [
        ("careers.acme.example", "“careers.acme.example” is no site."),
        ("http://careers.acme.example", "must begin with https://"),
        (
            "https://acme.example/jobs",
            "Give only the site, without what follows it: https://acme.example",
        ),
        ("https://*.acme.example", "Name each site by itself."),
        ("https://a.example; script-src *", "is no site"),
        ("javascript:alert(1)", "is no site"),
        ("https://acme.example:port", "is no site"),
        ("https://me@acme.example", "Give only the site"),
        ("null", "is no site"),
    ],
)
def test_what_is_no_site_is_refused_beside_its_field(
    cast: Cast, alice: Client, key: str, site: str, message: str
) -> None:
    answer = alice.post(f"/widgets/{key}", {**SETTINGS, "origins": f"https://good.example\n{site}"})
    assert answer.status_code == 422
    assert message in read(answer)
    assert 'href="#id_origins"' in read(answer)
    assert saved(cast, key).origins == []


def test_origins_are_spelt_as_browsers_spell_them() -> None:
    assert read_origin("https://Bücher.example:443/") == "https://xn--bcher-kva.example"
    assert read_origin("http://[::1]:8000") == "http://[::1]:8000"
    assert origin_of("https://careers.acme.example/jobs/1?x=y") == "https://careers.acme.example"
    assert origin_of("about:blank") == ""


def test_too_long_a_title_is_refused(alice: Client, key: str) -> None:
    assert alice.post(f"/widgets/{key}", {**SETTINGS, "title": "x" * 121}).status_code == 422


def test_a_widget_needs_a_name_and_a_model_of_the_organisation(
    cast: Cast, alice: Client, pipeline: Pipeline
) -> None:
    publish(cast.other, "secret", pipeline)
    assert alice.post("/widgets/new", {"name": " ", "model": "-"}).status_code == 422
    assert alice.post("/widgets/new", {"name": "W", "model": "secret"}).status_code == 422


def test_closing_ends_it_everywhere_and_the_page_says_so(
    cast: Cast, alice: Client, key: str, pipeline: Pipeline
) -> None:
    publish(cast.acme, "salary", pipeline)
    assert alice.get(f"/w/{key}").status_code == 200
    assert "is closed" in read(alice.post(f"/widgets/{key}/close", follow=True))
    RING.forget()
    assert alice.get(f"/w/{key}").status_code == 404
    assert "This widget is closed" in read(alice.get(f"/widgets/{key}"))
    with tenancy.scope(cast.acme.pk):
        actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"key.revoked", "widget.closed"} <= actions


def test_a_publisher_sees_widgets_and_cannot_change_them(cast: Cast, key: str) -> None:
    bob = cast.browser(cast.bob)
    page = read(bob.get(f"/widgets/{key}"))
    assert "Save the settings" not in page
    assert "Close the widget" not in page
    assert bob.post(f"/widgets/{key}", SETTINGS).status_code == 403
    assert bob.post(f"/widgets/{key}/close").status_code == 403
    assert bob.get("/widgets/new").status_code == 403


def test_an_outsider_finds_no_widget(cast: Cast, key: str) -> None:
    charlie = cast.browser(cast.charlie)
    assert charlie.get(f"/widgets/{key}").status_code == 404
    assert charlie.post(f"/widgets/{key}", SETTINGS).status_code == 404
    assert charlie.post(f"/widgets/{key}/close").status_code == 404
    assert "Careers page" not in read(charlie.get("/widgets"))
