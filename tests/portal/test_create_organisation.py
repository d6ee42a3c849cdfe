"""``manage.py create_organisation``, as scripts use it."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from portal import tenancy
from portal.middleware import memberships_of
from portal.models import ApiKey, Organisation, User
from predictions.models import Widget
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def run(slug: str = "fresh", **options: Any) -> dict[str, str]:
    given = {"name": "Fresh", "owner": "Eve@Fresh.example", "password": PASSWORD, **options}
    out = io.StringIO()
    call_command("create_organisation", slug, stdout=out, json=True, **given)
    answer: dict[str, str] = json.loads(out.getvalue())
    return answer


def refused(slug: str = "fresh", **options: Any) -> str:
    """Run the command, which must end with 1; returns its one line on stderr."""
    given = {"name": "Fresh", "owner": "eve@fresh.example", "password": PASSWORD, **options}
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("create_organisation", slug, stdout=out, stderr=err, json=True, **given)
    assert end.value.code == 1
    assert not out.getvalue()
    lines = err.getvalue().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_it_prints_one_object_with_keys_that_work() -> None:
    made = run()
    assert made.keys() == {"organisation", "owner", "secret_key", "publishable_key"}
    assert (made["organisation"], made["owner"]) == ("fresh", "eve@fresh.example")
    api = Client(headers={"Authorization": f"Bearer {made['secret_key']}"})
    body = {"slug": "salary", "name": "Salary"}
    answer = api.post("/api/v1/models", body, content_type="application/json")
    assert answer.status_code == 201
    assert made["publishable_key"].startswith("pk_")


def test_the_owner_signs_in_with_the_password() -> None:
    run()
    browser = Client()
    form = {"login": "eve@fresh.example", "password": PASSWORD}
    assert browser.post("/accounts/login/", form).status_code == 302
    assert "Fresh" in browser.get("/team").content.decode()


def test_the_publishable_key_is_a_widget_without_a_model() -> None:
    made = run()
    (membership,) = memberships_of(User.objects.get(email="eve@fresh.example"))
    with tenancy.scope(membership.organisation_id):
        widget = Widget.objects.get(key_id=made["publishable_key"])
    assert widget.model_id is None


def test_a_limit_holds_for_the_organisation_and_the_key() -> None:
    made = run(calls_per_minute=123_456)
    (membership,) = memberships_of(User.objects.get(email="eve@fresh.example"))
    assert membership.organisation.calls_per_minute == 123_456
    with tenancy.scope(membership.organisation_id):
        key = ApiKey.objects.get(kind="secret")
    assert made["secret_key"].startswith(key.pk)
    assert key.calls_per_minute == 123_456


def test_a_person_with_an_account_keeps_their_password(cast: Cast) -> None:
    run(owner="alice@acme.example", password="another long password")
    alice = User.objects.get(email="alice@acme.example")
    assert alice.check_password(PASSWORD)
    assert {m.organisation.slug for m in memberships_of(alice)} == {"acme", "fresh"}


@pytest.mark.parametrize(
    ("slug", "options", "sentence"),
    [
        ("acme", {}, "There is an organisation “acme” already."),
        ("Acme", {}, "A slug has"),
        ("acme-", {}, "A slug has"),
        ("a" * 64, {}, "A slug has"),
        ("äcme", {}, "A slug has"),
        ("fresh", {"name": " "}, "A name has 1 to 120 characters."),
        ("fresh", {"owner": "nobody"}, "“nobody” is no e-mail address."),
        ("fresh", {"password": "short"}, "at least 12 characters"),
        ("fresh", {"calls_per_minute": 0}, "calls per minute"),
    ],
)
def test_it_ends_with_one_sentence_and_leaves_nothing(
    cast: Cast, slug: str, options: dict[str, Any], sentence: str
) -> None:
    assert sentence in refused(slug, **options)
    assert not User.objects.filter(email="eve@fresh.example").exists()
    with tenancy.scope(cast.acme.pk):
        assert Organisation.objects.count() == 1
