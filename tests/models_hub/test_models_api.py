"""Models by the API: made, listed, and not there for anybody else."""

from typing import Any

import pytest
from django.test import Client

from portal import tenancy
from portal.models import AuditEntry
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
MODELS = "/api/v1/models"


@pytest.fixture
def api(cast: Cast) -> Client:
    return cast.api()


def make(api: Client, slug: str = "salary", **more: Any) -> Any:
    body = {"slug": slug, "name": "Salaries", **more}
    return api.post(MODELS, body, content_type="application/json")


def code_of(answer: Any) -> str:
    assert answer["Content-Type"] == "application/problem+json"
    return str(answer.json()["type"].removeprefix("/api/problems/"))


def test_a_model_is_made_and_found_again(api: Client) -> None:
    made = make(api, description="What people earn.")
    assert made.status_code == 201
    assert made["Location"] == f"{MODELS}/salary"
    found = api.get(made["Location"])
    assert found.json() == made.json()
    model = found.json()
    assert (model["slug"], model["name"]) == ("salary", "Salaries")
    assert (model["description"], model["live_version"]) == ("What people earn.", None)
    assert model["created_by"].startswith("sk_")


def test_making_a_model_leaves_an_audit_entry(api: Client, cast: Cast) -> None:
    make(api)
    with tenancy.scope(cast.acme.pk):
        entry = AuditEntry.objects.get(action="model.created")
    assert (entry.label, entry.actor[:3], entry.address) == ("Salaries", "sk_", "127.0.0.1")


def test_models_come_in_pages_that_do_not_shift(api: Client) -> None:
    for number in range(5):
        make(api, f"m{number}")
    first = api.get(MODELS, {"limit": 2}).json()
    make(api, "a-new-one")
    seen = [model["slug"] for model in first["items"]]
    page = first
    while page["next"]:
        page = api.get(MODELS, {"limit": 2, "cursor": page["next"]}).json()
        seen += [model["slug"] for model in page["items"]]
    assert seen == ["m0", "m1", "m2", "m3", "m4"]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", "", "1e2", "0000000000002000", "²"])
def test_a_limit_that_is_off_says_what_it_may_be(api: Client, limit: str) -> None:
    answer = api.get(MODELS, {"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/limit"
    assert "1 to 1,000" in answer.json()["detail"]


@pytest.mark.parametrize("cursor", ["!", "AAA", "AA==", "/w==", "ä"])
def test_a_cursor_that_is_not_ours_is_refused(api: Client, cursor: str) -> None:
    answer = api.get(MODELS, {"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "bad_cursor"


@pytest.mark.parametrize(
    "slug", ["", "Salary", "a_b", "-a", "a-", "a b", "ä", "a/b", "a" * 64, "a\n", "<b>"]
)
def test_a_slug_that_cannot_stand_in_an_address_is_refused(api: Client, slug: str) -> None:
    answer = make(api, slug)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/slug"


@pytest.mark.parametrize("slug", ["a", "7", "a-b--c", "a" * 63])
def test_other_slugs_are_taken(api: Client, slug: str) -> None:
    assert make(api, slug).status_code == 201


def test_a_taken_slug_is_a_conflict_but_only_at_home(api: Client, cast: Cast) -> None:
    make(api)
    again = make(api)
    assert (again.status_code, code_of(again)) == (409, "slug_taken")
    assert make(cast.api(organisation=cast.other)).status_code == 201


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\0b", 7, None])
def test_a_name_that_is_none_is_refused(api: Client, name: Any) -> None:
    answer = make(api, name=name)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/name"


@pytest.mark.parametrize("body", ["[]", "null", "7", "{}", ""])
def test_a_body_without_a_model_says_what_is_missing(api: Client, body: str) -> None:
    answer = api.post(MODELS, body, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/slug"


def test_another_organisations_model_does_not_exist(api: Client, cast: Cast) -> None:
    make(api)
    charlie = cast.api(organisation=cast.other)
    absent = charlie.get(f"{MODELS}/nothing").json()
    theirs = charlie.get(f"{MODELS}/salary")
    assert theirs.status_code == 404
    assert (theirs.json()["title"], theirs.json()["detail"]) == (absent["title"], absent["detail"])
    assert charlie.get(MODELS).json() == {"items": [], "next": None}
    calls = ("versions/1/promote", "rollback", "versions/1/signature")
    assert {
        charlie.post(f"{MODELS}/salary/{end}", {"inputs": []}, "application/json").status_code
        for end in calls
    } == {404}


READS = [
    ("get", ""),
    ("get", "/salary"),
    ("get", "/salary/versions"),
    ("get", "/salary/versions/1"),
]
WRITES = [
    ("post", ""),
    ("post", "/salary/versions"),
    ("post", "/salary/versions/1/promote"),
    ("post", "/salary/rollback"),
    ("post", "/salary/versions/1/signature"),
    ("put", "/salary/deployments/embedded"),
]
BODY = {"slug": "x", "name": "X", "inputs": [], "is_active": True}


@pytest.mark.parametrize(("method", "path"), READS)
def test_a_key_without_the_scope_read_may_not_look(cast: Cast, method: str, path: str) -> None:
    answer = getattr(cast.api("predict", "jobs", "publish", "manage"), method)(MODELS + path)
    assert (answer.status_code, code_of(answer)) == (403, "forbidden")
    assert "scope “read”" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_key_without_the_scope_publish_changes_nothing(
    cast: Cast, method: str, path: str
) -> None:
    client = cast.api("read", "predict", "jobs", "manage")
    answer = getattr(client, method)(MODELS + path, BODY, content_type="application/json")
    assert (answer.status_code, code_of(answer)) == (403, "forbidden")
    assert "scope “publish”" in answer.json()["detail"]
