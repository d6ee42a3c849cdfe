"""The OpenAPI document: valid, complete, and true of real answers."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate

from berth.journal import Journal
from models_hub import sandbox
from portal import errors
from portal.access import KEY_SCOPES
from portal.openapi import PROBLEMS, TITLES, document
from predictions import answering
from predictions.loading import load_all
from tests import pipelines
from tests.cast import Cast
from tests.portal.test_api_errors import routes
from workers import batch, tasks

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
ROOT = Path(__file__).resolve().parents[2]
METHODS = {"get", "put", "post", "delete", "patch"}
V1 = "/api/v1"


@pytest.fixture
def api(cast: Cast) -> Client:
    return cast.api()


def shape(path: str) -> str:
    """A path with its parameters' names left out."""
    return re.sub(r"{\w+}", "{}", path)


def described() -> dict[tuple[str, str], Any]:
    """Each operation of the document by its method and path."""
    return {
        (method, path): operation
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    }


def test_the_document_is_served_to_anybody_and_valid() -> None:
    answer = Client().get(f"{V1}/openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    found = answer.json()
    assert found["openapi"].startswith("3.1")
    validate(found)
    assert found == json.loads(json.dumps(document()))


def test_it_has_each_route_and_method_and_nothing_else() -> None:
    served = set()
    for address, view in routes(lambda name: "{}"):
        for method in METHODS & set(dir(view)):
            served.add((method, address.removeprefix(V1)))
    assert {(method, shape(path)) for method, path in described()} == served


def test_names_of_operations_are_unique_and_scopes_are_named() -> None:
    operations = described().values()
    assert len({operation["operationId"] for operation in operations}) == len(described())
    for operation in operations:
        (scope,) = re.findall(r"Scope: `(\w+)`\.$", operation["description"])
        assert scope in [scope.value for scope in KEY_SCOPES]
        assert f"`{scope}`" in document()["info"]["description"]


def fitting(schema: Any, value: Any) -> None:
    """The value fits the schema, and has no property that the schema does not know."""
    whole = {**closed(schema), "components": closed(document()["components"])}
    errors = list(OAS31Validator(whole, format_checker=oas31_format_checker).iter_errors(value))
    assert not errors, [(error.json_path, error.message) for error in errors]


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(item) for name, item in schema.items()}
    if "properties" in schema and "required" in schema:
        made["additionalProperties"] = False
    return made


Call = Callable[..., Any]


@pytest.fixture
def call(api: Client) -> Call:
    """Make a call of the document, and check what comes back against it; returns the answer."""

    def go(method: str, path: str, body: Any = None, **arguments: Any) -> Any:
        operation = described()[method, path]
        address = V1 + path.format(**arguments)
        sent = operation.get("requestBody", {}).get("content", {})
        parts = body.values() if isinstance(body, dict) else ()
        is_form = any(isinstance(part, SimpleUploadedFile) for part in parts)
        if "application/json" in sent and not is_form:
            fitting(sent["application/json"]["schema"], body)
            answer = getattr(api, method)(address, body, content_type="application/json")
        else:
            answer = getattr(api, method)(address, body)
        promised = operation["responses"][str(answer.status_code)]
        if "$ref" in promised:
            promised = document()["components"]["responses"][promised["$ref"].rpartition("/")[2]]
        assert set(promised.get("headers", ())) <= set(answer.headers)
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if answer.status_code == 204:
            assert not answer.content
        elif kind.endswith("json"):
            fitting(promised["content"][kind]["schema"], answer.json())
        else:
            assert kind in promised["content"]
        return answer

    return go


def test_examples_fit_their_schemas() -> None:
    for operation in described().values():
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in contents:
            for media in content.get("content", {}).values():
                examples = [e["value"] for e in media.get("examples", {}).values()]
                for example in examples + ([media["example"]] if "example" in media else []):
                    fitting(media["schema"], example)


def test_answers_about_models_and_versions_fit(
    call: Call, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = pipelines.wages()
    golden: dict[str, Any] = {"instances": [], "predictions": []}
    parity = {"rows": 500, "max_relative_error": 1e-7, "mismatches": 0}
    found = (trained.onnx, trained.signature, parity, {"p50_ms": 0.1}, golden)
    inspection = sandbox.Inspection("onnx", *found, facts={})

    def inspect(*args: Any, meanwhile: Any, **more: Any) -> sandbox.Inspection:
        meanwhile(inspection)
        return inspection

    monkeypatch.setattr(sandbox, "inspect", inspect)
    call("post", "/models", {"slug": "wages", "name": "Wages"})
    artifact = SimpleUploadedFile("model.onnx", b"\x08\x08" + b"x" * 100)
    upload = call("post", "/models/{slug}/versions", {"artifact": artifact}, slug="wages")
    assert upload.status_code == 202
    tasks.inspect()
    one = {"slug": "wages", "number": 1}
    assert call("get", "/models/{slug}/versions/{number}", **one).json()["status"] == "ready"
    changes = {"inputs": [{"name": "city", "label": "City"}]}
    call("post", "/models/{slug}/versions/{number}/signature", changes, **one)
    assert call("post", "/models/{slug}/versions/{number}/promote", **one).status_code == 200
    call("post", "/models/{slug}/versions/{number}/promote", slug="wages", number=2)
    assert call("post", "/models/{slug}/rollback", slug="wages").status_code == 200
    assert call("post", "/models/{slug}/rollback", slug="wages").status_code == 409
    assert call("post", "/models/{slug}/withdraw", slug="wages").status_code == 200
    assert call("post", "/models/{slug}/withdraw", slug="wages").status_code == 409
    call("get", "/models")
    call("get", "/models/{slug}", slug="wages")
    call("get", "/models/{slug}/versions", slug="wages")
    assert call("get", "/models/{slug}", slug="nothing").status_code == 404
    for name in ("embedded", "offline"):
        switch = {"slug": "wages", "architecture": name}
        path = "/models/{slug}/deployments/{architecture}"
        assert call("put", path, {"is_active": True}, **switch).status_code == 200


def test_answers_to_predictions_fit(
    call: Call, cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    monkeypatch.setattr(answering, "JOURNAL", journal)
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    pipelines.publish(cast.acme, "grades", pipelines.grades())
    odd = {**pipelines.wages().instances(1)[0], "education": 3}
    answers = [
        call("post", "/models/{slug}/predict", {"instances": [odd]}, slug=slug)
        for slug in ("wages", "grades")
    ]
    assert "warnings" in answers[0].json()
    assert "probabilities" in answers[1].json()
    call("post", "/models/{slug}/predict", {"columns": {"education": [9]}}, slug="wages")
    bad = {"instances": [{"education": "x"}]}
    assert call("post", "/models/{slug}/predict", bad, slug="wages").status_code == 422
    journal.close()
    load_all(tmp_path)
    assert call("get", "/predictions/{id}", id=answers[1].json()["id"]).status_code == 200


def test_answers_of_the_feeds_fit(call: Call, cast: Cast) -> None:
    version = pipelines.publish(cast.acme, "wages", pipelines.wages())
    call("post", "/models/{slug}/withdraw", slug="wages")
    assert len(call("get", "/feed").json()["items"]) == 2
    assert len(call("get", "/server/models").json()["items"]) == 2
    assert call("get", "/server/keys").json()["items"]
    call("get", "/server/public-key")
    told = {"model": "wages", "offset": 2, "status": "retired"}
    body = {"subscriber": "careers", "kind": "subscriber", "models": [told]}
    assert call("post", "/feed/reports", body).status_code == 204
    assert call("post", "/server/reports", {**body, "kind": "server"}).status_code == 204
    bundle = call("get", "/bundles/{sha256}", sha256=version.bundle_sha256)
    assert bundle["Content-Type"] == "application/octet-stream"
    assert call("get", "/bundles/{sha256}", sha256="0" * 64).status_code == 404


def test_answers_about_jobs_fit(call: Call, cast: Cast) -> None:
    pipelines.publish(cast.acme, "grades", pipelines.grades())
    content = b"id,education,experience,city,level\na,12,1,Oslo,senior\nb,x,1,Oslo,lead\n"
    form = {"file": SimpleUploadedFile("people.csv", content), "key": "id"}
    job = call("post", "/models/{slug}/jobs", form, slug="grades").json()
    assert call("get", "/jobs/{id}/result", id=job["id"]).status_code == 409
    batch.drain()
    assert call("get", "/jobs/{id}", id=job["id"]).json()["status"] == "partial"
    assert len(call("get", "/jobs/{id}/rows", id=job["id"]).json()["items"]) == 2
    assert call("get", "/jobs/{id}/result", id=job["id"]).status_code == 200
    assert call("post", "/jobs/{id}/cancel", id=job["id"]).status_code == 409
    call("post", "/jobs/{id}/resume", id=job["id"])
    call("get", "/jobs")
    assert call("get", "/jobs/{id}/errors", id=job["id"]).status_code == 200
    assert call("post", "/jobs/{id}/retry", id=job["id"]).status_code == 202
    batch.drain()
    call("get", "/incoming")
    missing = {"source": "incoming/none.csv", "decimal": ",", "columns": {"city": "Town"}}
    assert call("post", "/models/{slug}/jobs", missing, slug="grades").status_code == 422
    erasure = call("post", "/erasures", {"key": "a"}).json()
    call("get", "/erasures")
    assert call("get", "/erasures/{id}", id=erasure["id"]).json()["status"] == "pending"
    assert call("delete", "/jobs/{id}", id=job["id"]).status_code == 204
    assert call("delete", "/jobs/{id}", id=job["id"]).status_code == 404
    other = call("post", "/models/{slug}/jobs", {**form, "file": fresh(content)}, slug="grades")
    assert call("post", "/jobs/{id}/cancel", id=other.json()["id"]).status_code == 200


def test_answers_about_recurring_jobs_fit(call: Call, cast: Cast) -> None:
    pipelines.publish(cast.acme, "grades", pipelines.grades())
    content = b"id,education,experience,city,level\na,12,1,Oslo,senior\n"
    plan: dict[str, Any] = {"name": "Monthly", "every": "month", "day": 31, "at": "02:30"}
    plan["zone"] = "Europe/Berlin"
    form = {"file": fresh(content), **plan}
    made = call("post", "/models/{slug}/schedules", form, slug="grades")
    assert made.status_code == 201
    one = {"id": made.json()["id"]}
    call("put", "/schedules/{id}", {**plan, "version": 1, "key": "id"}, **one)
    bad = call("put", "/schedules/{id}", {**plan, "zone": "Berlin"}, **one)
    assert bad.status_code == 422
    call("post", "/schedules/{id}/file", {"file": fresh(content)}, **one)
    assert call("post", "/schedules/{id}/runs", **one).status_code == 202
    assert call("get", "/schedules/{id}/runs", **one).json()["items"]
    assert call("post", "/schedules/{id}/pause", **one).json()["next_run"] is None
    call("post", "/schedules/{id}/resume", **one)
    assert call("get", "/schedules").json()["items"] == [
        call("get", "/schedules/{id}", **one).json()
    ]
    assert call("delete", "/schedules/{id}", **one).status_code == 204
    assert call("get", "/schedules/{id}", **one).status_code == 404


def test_answers_about_webhooks_fit(call: Call, cast: Cast) -> None:
    made = call("post", "/webhooks", {"url": "https://hr.example.com/berth"})
    assert made.status_code == 201
    one = {"id": made.json()["id"]}
    sent = call("post", "/webhooks/{id}/test", **one).json()
    path = "/webhooks/{id}/deliveries/{delivery}/resend"
    assert call("post", path, delivery=sent["id"], **one).status_code == 409
    assert call("get", "/webhooks/{id}/deliveries", **one).json()["items"] == [sent]
    call("post", "/webhooks/{id}/rotate", **one)
    call("post", "/webhooks/{id}/disable", **one)
    call("post", "/webhooks/{id}/enable", **one)
    body = {"url": "https://hr.example.com/x", "events": ["job.failed"]}
    call("put", "/webhooks/{id}", body, **one)
    assert call("put", "/webhooks/{id}", {"url": "http://x"}, **one).status_code == 422
    assert len(call("get", "/webhooks").json()["items"]) == 1
    call("get", "/webhooks/{id}", **one)
    assert call("delete", "/webhooks/{id}", **one).status_code == 204


def fresh(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("more.csv", content)


def raised_codes() -> Iterator[tuple[str, int]]:
    """Each problem's code that the source raises, with its error's status."""
    family = {
        name: thing
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, errors.BerthError)
    }
    yield from ((thing.code, thing.status) for thing in family.values())
    for room in ("portal", "models_hub", "predictions", "workers", "demo"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                code = given.get("code")
                if name in family and isinstance(code, ast.Constant):
                    yield str(code.value), family[name].status


def test_every_problem_that_is_raised_is_explained_and_no_other() -> None:
    raised = dict(raised_codes())
    assert raised == {code: about.status for code, about in PROBLEMS.items()}
    assert set(TITLES) == set(raised.values())


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problems_type_leads_to_what_it_means(code: str) -> None:
    answer = Client().get(f"/api/problems/{code}")
    assert answer.status_code == 200
    assert code in answer.content.decode()
    assert Client().get("/api/problems").content.decode().count(f'id="{code}"') == 1


def test_a_type_of_problem_that_there_is_not_is_not_found() -> None:
    assert Client().get("/api/problems/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/api/docs", "/api/problems", "/api/v1/openapi.json"])
def test_the_description_is_only_read(path: str) -> None:
    answer = Client().post(path)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert answer["Content-Type"] == "application/problem+json"


def test_the_page_to_try_it_has_its_own_assets_only() -> None:
    answer = Client().get("/api/docs")
    html = answer.content.decode()
    assert answer.status_code == 200
    for address in re.findall(r'(?:src|href)="([^"]*)"', html):
        assert address.startswith("/"), address
        if address.startswith("/static/"):
            assert Client().get(address).status_code == 200, address
    assert "style=" not in html
    assert "<style" not in html
    assert re.search(r"<script(?![^>]*src=)", html) is None
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
