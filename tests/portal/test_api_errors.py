"""Every refusal of the API is a problem (RFC 9457), and nothing below /api is ever a page."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from berth.keys import new_secret
from portal import api_urls
from tests import pipelines
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
ARGUMENTS = {
    "slug": "nothing",
    "number": 1,
    "architecture": "embedded",
    "prediction_id": UUID(int=1),
    "job_id": UUID(int=1),
    "schedule_id": UUID(int=1),
    "endpoint_id": UUID(int=1),
    "delivery_id": UUID(int=1),
    "erasure_id": UUID(int=1),
    "sha256": "0" * 64,
}


@pytest.fixture
def api(cast: Cast) -> Client:
    return cast.api()


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The whole problem, of an answer that is one."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/api/problems/{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.wsgi_request.path
    assert body["request_id"] == answer["X-Request-Id"]
    return body


def well_formed(name: str) -> str:
    return str(ARGUMENTS[name])


def routes(fill: Callable[[str], str] = well_formed) -> Iterator[tuple[str, Any]]:
    """Each route of the API, its parameters filled in by their names: (address, view class)."""

    def walk(patterns: list[Any], before: str) -> Iterator[tuple[str, Any]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, before + str(pattern.pattern))
            elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "view_class"):
                route = before + str(pattern.pattern)
                for converter in pattern.pattern.converters:
                    kind = type(pattern.pattern.converters[converter]).__name__
                    name = {"Slug": "slug", "Int": "int", "UUID": "uuid"}[kind[:-9]]
                    route = route.replace(f"<{name}:{converter}>", fill(converter))
                yield route, pattern.callback.view_class

    yield from walk(api_urls.urlpatterns, "/api/v1/")


ROUTES = sorted(routes(), key=lambda route: route[0])


def test_the_routes_are_found() -> None:
    assert len(ROUTES) >= 15
    assert all(get_resolver().resolve(address) for address, _ in ROUTES)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("address", "view"), ROUTES, ids=lambda value: str(value))
def test_each_method_of_each_route_answers_json_and_its_id(
    cast: Cast, address: str, view: Any, method: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.generic(method.upper(), address)
    assert answer["X-Request-Id"]
    if getattr(view, "authentication_classes", None):
        assert answer.status_code == 401
    assert "html" not in answer["Content-Type"]


@pytest.mark.parametrize(("address", "view"), ROUTES, ids=lambda value: str(value))
def test_a_method_that_is_not_taken_names_those_that_are(
    api: Client, address: str, view: Any
) -> None:
    taken = {name for name in METHODS if hasattr(view, name)} - {"options"}
    if "get" in taken:
        taken.add("head")
    for method in set(METHODS) - taken - {"head"}:
        answer = api.generic(method.upper(), address)
        problem(answer, 405, "method_not_allowed")
        assert set(answer["Allow"].lower().split(", ")) == taken


UNKNOWN = [
    "/api",
    "/api/",
    "/api/v1",
    "/api/v1/",
    "/api/v2/models",
    "/api/v1/models/",
    "/api/v1/nothing",
    "/api/v1/models/a b",
    "/api/v1/models/ä",
    "/api/v1/predictions/7",
    "/api/v1/jobs/7",
    "/api/v1/models/x/versions/minus",
    "/api/v1/<script>alert(1)</script>",
]


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
@pytest.mark.parametrize("address", UNKNOWN)
def test_an_unknown_address_is_not_found(cast: Cast, address: str, method: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)(address)
    problem(answer, 404, "not_found")


KEYS = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer nonsense",
    "Bearer sk_short",
    "Bearer pk_0000000000000000_000000",
    "Basic YTpi",
    f"Bearer {new_secret()[1]}",
    f"Bearer {new_secret()[1]}x",
    f"Token {new_secret()[1]}",
    "Bearer \u00e4\u00f6",
]


@pytest.mark.parametrize("header", KEYS, ids=range(len(KEYS)))
def test_without_a_valid_key_nothing_is_said(cast: Cast, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for answer in (
        Client(headers=headers).get("/api/v1/models"),
        Client(headers=headers).post("/api/v1/models/x/predict", b"{", "application/json"),
    ):
        problem(answer, 401, "unauthenticated")
        assert answer["WWW-Authenticate"] == 'Bearer realm="berth"'


def test_a_session_is_no_key(cast: Cast) -> None:
    problem(cast.browser(cast.alice).get("/api/v1/models"), 401, "unauthenticated")


def test_a_body_that_is_not_json_is_a_bad_request(api: Client) -> None:
    deep = b'{"a":' * 1_000 + b"1" + b"}" * 1_000
    for body in (b"{", b"{'a': 1}", b'{"slug": NaN}', b"[" * 5_000, deep, b"\xff\xfe", b"{} {}"):
        answer = api.post("/api/v1/models", body, content_type="application/json")
        problem(answer, 400, "bad_json")
    twice = b'{"slug": "a", "slug": "b", "name": "x"}'
    answer = api.post("/api/v1/models", twice, content_type="application/json")
    problem(answer, 400, "repeated_name")


def test_another_content_type_is_not_taken(api: Client) -> None:
    answer = api.post("/api/v1/models", "slug=a", content_type="application/x-www-form-urlencoded")
    problem(answer, 415, "unsupported_media_type")


def test_a_body_beyond_the_limit_is_too_large(api: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    body = {"slug": "a", "name": "x", "description": "x" * 1_000}
    answer = api.post("/api/v1/models", body, content_type="application/json")
    problem(answer, 413, "too_large")
    api.post("/api/v1/models", {"slug": "a", "name": "x"}, content_type="application/json")
    answer = api.post("/api/v1/models/a/versions", {"notes": "x" * 2_000})
    problem(answer, 413, "too_large")


def test_input_that_does_not_fit_points_at_the_place(api: Client) -> None:
    answer = api.post("/api/v1/models", {"slug": "A", "name": "x"}, content_type="application/json")
    (error,) = problem(answer, 422, "invalid")["errors"]
    assert error.keys() == {"pointer", "code", "detail"}
    assert error["pointer"] == "/slug"


def test_what_nobody_foresaw_is_a_problem_too(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr("models_hub.api.models_for", fail)
    client = cast.api()
    client.raise_request_exception = False
    answer = client.get("/api/v1/models")
    body = problem(answer, 500, "internal")
    assert "secret cause" not in str(body)


def test_a_database_that_is_away_is_unavailable(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("the server closed the connection")

    client = cast.api()
    client.raise_request_exception = False
    monkeypatch.setattr("portal.keys._look_up", fail)
    answer = client.get("/api/v1/models")
    problem(answer, 503, "unavailable")
    assert int(answer["Retry-After"]) > 0


def test_a_host_that_is_not_ours_is_a_bad_request(api: Client) -> None:
    answer = api.get("/api/v1/models", headers={"Host": "evil.example"})
    problem(answer, 400, "bad_request")


def test_each_answer_has_an_id_of_its_own(api: Client) -> None:
    answers = [api.get("/api/v1/models") for _ in range(2)]
    assert len({answer["X-Request-Id"] for answer in answers}) == 2


def test_a_text_that_no_database_keeps_is_no_fault_of_ours(api: Client, cast: Cast) -> None:
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    form = {"file": SimpleUploadedFile("people.csv", b"education\n12\n"), "key": "a\0b"}
    answer = api.post("/api/v1/models/wages/jobs", form)
    assert problem(answer, 422, "invalid")["errors"][0]["pointer"] == "/key"
    job = api.post("/api/v1/models/wages/jobs", {**form, "file": fresh(), "key": ""}).json()
    rows = api.get(f"/api/v1/jobs/{job['id']}/rows", {"key": "a\0b"})
    assert (rows.status_code, rows.json()["items"]) == (200, [])


def fresh() -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", b"education\n12\n")


def test_a_job_of_an_unknown_model_is_not_found_before_the_body_is_read(api: Client) -> None:
    problem(api.post("/api/v1/models/nothing/jobs", b"", "text/plain"), 404, "not_found")
