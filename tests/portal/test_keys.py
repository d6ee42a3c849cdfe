"""Keys on the page: made, shown once, revoked; by those who may."""

import pytest
from django.test import Client

from portal import tenancy
from portal.models import ApiKey, AuditEntry
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def make(client: Client, name: str = "Careers site", *scopes: str) -> str:
    """Make a key by the page; returns the text that it shows."""
    answer = client.post("/keys/new", {"name": name, "scopes": scopes or ["read", "predict"]})
    assert answer.status_code == 200, answer.content
    text = answer.context["secret"]
    assert text in answer.content.decode()
    return str(text)


def test_a_key_is_shown_once_and_works(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    text = make(alice)
    assert text not in alice.get("/keys").content.decode()
    assert text.split("_")[1] in alice.get("/keys").content.decode()
    api = Client(headers={"Authorization": f"Bearer {text}"})
    assert api.get("/api/v1/models").status_code == 200


def test_the_page_that_shows_a_key_is_not_to_be_kept_by_anybody(cast: Cast) -> None:
    answer = cast.browser(cast.alice).post("/keys/new", {"name": "x", "scopes": ["read"]})
    assert "no-store" in answer["Cache-Control"]


def test_only_the_digest_of_a_key_is_stored(cast: Cast) -> None:
    text = make(cast.browser(cast.alice))
    with tenancy.scope(cast.acme.pk):
        row = ApiKey.objects.values().get(name="Careers site")
        entry = AuditEntry.objects.get(action="key.created")
    assert text not in str(row)
    assert text not in str(entry.detail)
    assert entry.actor == cast.alice.email
    assert entry.detail == {"kind": "secret", "scopes": ["read", "predict"]}


def test_a_key_without_a_scope_does_not_do_what_needs_it(cast: Cast) -> None:
    text = make(cast.browser(cast.alice), "reader", "read")
    api = Client(headers={"Authorization": f"Bearer {text}"})
    body = {"slug": "new", "name": "New"}
    answer = api.post("/api/v1/models", body, content_type="application/json")
    assert answer.status_code == 403


def test_a_revoked_key_is_refused(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    text = make(alice)
    with tenancy.scope(cast.acme.pk):
        key = ApiKey.objects.get(name="Careers site")
    answer = alice.post(f"/keys/{key.pk}/revoke", follow=True)
    assert "Revoked" in answer.content.decode()
    assert alice.post(f"/keys/{key.pk}/revoke").status_code == 302, "twice is once"
    api = Client(headers={"Authorization": f"Bearer {text}"})
    assert api.get("/api/v1/models").status_code == 401
    with tenancy.scope(cast.acme.pk):
        assert AuditEntry.objects.filter(action="key.revoked").count() == 1


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "", "scopes": ["read"]}, "This field is required"),
        ({"name": "  ", "scopes": ["read"]}, "This field is required"),
        ({"name": "x" * 81, "scopes": ["read"]}, "at most 80 characters"),
        ({"name": "x"}, "Choose at least one scope"),
        ({"name": "x", "scopes": ["own"]}, "not one of the available choices"),
    ],
)
def test_a_form_that_does_not_fit_comes_back_with_the_reason(
    cast: Cast, form: dict[str, object], sentence: str
) -> None:
    answer = cast.browser(cast.alice).post("/keys/new", form)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()


def test_an_empty_list_offers_the_next_step(cast: Cast) -> None:
    page = cast.browser(cast.alice).get("/keys").content.decode()
    assert "No keys yet" in page
    assert 'href="/keys/new"' in page


def test_a_publisher_is_told_that_keys_are_for_admins(cast: Cast) -> None:
    bob = cast.browser(cast.bob)
    for answer in (bob.get("/keys"), bob.get("/keys/new"), bob.post("/keys/new", {"name": "x"})):
        assert answer.status_code == 403
        assert "Ask an admin" in answer.content.decode()


def test_an_outsider_finds_no_key_of_another_organisation(cast: Cast) -> None:
    make(cast.browser(cast.alice))
    with tenancy.scope(cast.acme.pk):
        key = ApiKey.objects.get(name="Careers site")
    charlie = cast.browser(cast.charlie)
    assert "Careers site" not in charlie.get("/keys").content.decode()
    assert charlie.post(f"/keys/{key.pk}/revoke").status_code == 404


def test_the_name_of_a_key_is_shown_as_text(cast: Cast) -> None:
    alice = cast.browser(cast.alice)
    make(alice, "<img src=x onerror=alert(1)>")
    assert "<img" not in alice.get("/keys").content.decode()
