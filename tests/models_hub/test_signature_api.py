"""A person's corrections of a signature: a new version, and what the next upload inherits."""

from typing import Any

import pytest
from django.test import Client

from models_hub import inspection, sealing
from models_hub.models import Version
from portal import tenancy
from tests import pipelines
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
MODEL = "/api/v1/models/wages"


@pytest.fixture
def api(cast: Cast) -> Client:
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    return cast.api()


def correct(api: Client, *changes: dict[str, Any], number: int = 1) -> Any:
    address = f"{MODEL}/versions/{number}/signature"
    return api.post(address, {"inputs": list(changes)}, content_type="application/json")


def field(version: Any, name: str) -> Any:
    return next(f for f in version["signature"]["inputs"] if f["name"] == name)


def test_a_correction_is_sealed_as_the_next_version(api: Client, cast: Cast) -> None:
    answer = correct(
        api,
        {"name": "education", "label": "Years of school", "minimum": 0, "maximum": 25},
        {"name": "level", "enforced": ["choices"]},
    )
    assert answer.status_code == 201, answer.content
    assert answer["Location"] == f"{MODEL}/versions/2"
    version = answer.json()
    assert (version["number"], version["status"], version["derived_from"]) == (2, "ready", 1)
    assert field(version, "education")["label"] == "Years of school"
    assert field(version, "level")["enforced"] == ["choices"]
    bundle = sealing.load(cast.acme.pk, version["bundle_sha256"])
    assert bundle.signature.to_json() == version["signature"]
    assert bundle.onnx == pipelines.wages().onnx
    before = api.get(f"{MODEL}/versions/1").json()
    assert field(before, "education")["label"] == ""


def test_the_corrected_version_answers_by_its_own_rules(api: Client) -> None:
    correct(api, {"name": "level", "enforced": ["choices"]})
    row = {**pipelines.wages().instances(1)[0], "level": "boss"}

    def ask(version: int) -> Any:
        body = {"instances": [row], "version": version}
        return api.post(f"{MODEL}/predict", body, content_type="application/json")

    assert ask(1).json()["warnings"][0]["pointer"] == "/instances/0/level"
    refused = ask(2)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/instances/0/level"
    assert refused.json()["errors"][0]["code"] == "unknown_choice"


def test_a_correction_can_itself_be_corrected(api: Client) -> None:
    correct(api, {"name": "city", "help": "Where the office is."})
    third = correct(api, {"name": "city", "label": "City"}, number=2).json()
    assert (third["number"], third["derived_from"]) == (3, 2)
    assert field(third, "city")["help"] == "Where the office is."


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "town", "label": "Town"}, "/inputs/0/name"),
        ({"label": "Town"}, "/inputs/0/name"),
        ({"name": "city", "type": "number"}, "/inputs/0/type"),
        ({"name": "city", "a/b": 1}, "/inputs/0/a~1b"),
        ({"name": "education", "minimum": 9, "maximum": 3}, "/inputs/0/m"),
        ({"name": "education", "default": "ten"}, "/inputs/0/default"),
        ({"name": "city", "label": 7}, "/inputs/0/label"),
    ],
)
def test_a_correction_that_contradicts_itself_points_at_the_place(
    api: Client, change: dict[str, Any], pointer: str
) -> None:
    answer = correct(api, change)
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    assert api.get(f"{MODEL}/versions/2").status_code == 404


@pytest.mark.parametrize("body", [{}, {"inputs": {}}, {"inputs": [7]}, []])
def test_corrections_are_a_list_of_objects(api: Client, body: Any) -> None:
    answer = api.post(f"{MODEL}/versions/1/signature", body, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/inputs"


def test_the_same_idempotency_key_corrects_once(api: Client) -> None:
    api.defaults["HTTP_IDEMPOTENCY_KEY"] = "one"
    first, again = (correct(api, {"name": "city", "label": "City"}) for _ in range(2))
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"


def test_the_next_upload_inherits_what_a_person_said(api: Client, cast: Cast) -> None:
    correct(
        api,
        {"name": "city", "label": "City", "help": "Where the office is."},
        {"name": "education", "unit": "years", "maximum": 25, "enforced": ["range"]},
    )
    with tenancy.scope(cast.acme.pk):
        version = Version.objects.select_related("model").get(number=1)
        signature = inspection._with_corrections(version, pipelines.wages().signature)
    fields = {field.name: field for field in signature.inputs}
    assert (fields["city"].label, fields["city"].help) == ("City", "Where the office is.")
    assert (fields["education"].unit, fields["education"].maximum) == ("years", 25)
    assert fields["education"].enforced == frozenset({"range"})
