"""Idempotency-Key: the same POST twice is one deed and two equal answers."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.test.client import encode_multipart
from django.utils import timezone

from models_hub.models import HostedModel, Version
from portal import idempotency, tenancy
from portal.models import IdempotentReply
from predictions.models import Prediction
from tests import pipelines
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
MODELS = "/api/v1/models"
ONNX = b"\x08\x08" + b"x" * 100


def post(client: Client, body: Any, key: str = "one", path: str = MODELS) -> Any:
    headers = {"Idempotency-Key": key}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def model(slug: str = "salary") -> dict[str, str]:
    return {"slug": slug, "name": "Salaries"}


def test_a_repeat_gets_the_first_answer_and_is_told_so(cast: Cast) -> None:
    api = cast.api()
    first, again = post(api, model()), post(api, model())
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again["Location"] == first["Location"]
    assert again["Content-Type"] == first["Content-Type"]
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again["X-Request-Id"] != first["X-Request-Id"]


def test_equal_json_written_otherwise_is_the_same_request(cast: Cast) -> None:
    api = cast.api()
    post(api, model())
    again = api.post(
        MODELS,
        '{ "name":"Salaries",  "slug":"salary" }',
        content_type="application/json",
        headers={"Idempotency-Key": "one"},
    )
    assert again["Idempotent-Replayed"] == "true"


def test_another_request_with_the_same_key_is_refused(cast: Cast) -> None:
    api = cast.api()
    post(api, model())
    other = post(api, model("other"))
    assert other.status_code == 422
    assert other.json()["type"] == "/api/problems/idempotency_key_reused"
    with tenancy.scope(cast.acme.pk):
        assert HostedModel.objects.count() == 1


def test_keys_do_not_meet_across_callers_paths_and_organisations(cast: Cast) -> None:
    api = cast.api()
    assert post(api, model()).status_code == 201
    assert post(cast.api(), model("two")).status_code == 201
    assert post(cast.api(organisation=cast.other), model("three")).status_code == 201
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    assert post(api, {"instances": [{}]}, path=f"{MODELS}/wages/predict").status_code == 200


def test_a_refusal_is_not_kept(cast: Cast) -> None:
    api = cast.api()
    assert post(api, {"slug": "Salary", "name": "x"}).status_code == 422
    assert post(api, model()).status_code == 201
    assert post(api, model(), key="two").status_code == 409
    assert post(api, model("free"), key="two").status_code == 201


def test_without_a_key_nothing_is_kept(cast: Cast) -> None:
    api = cast.api()
    api.post(MODELS, model(), content_type="application/json")
    with tenancy.scope(cast.acme.pk):
        assert not IdempotentReply.objects.exists()


def test_a_key_that_is_too_long_is_refused(cast: Cast) -> None:
    api = cast.api()
    assert post(api, model(), key="k" * 255).status_code == 201
    answer = post(api, model("two"), key="k" * 256)
    assert answer.status_code == 422
    assert "at most 255" in answer.json()["detail"]


def test_an_address_too_long_to_be_kept_is_not_found_as_ever(cast: Cast) -> None:
    path = f"/api/v1/models/{'a' * 400}/predict"
    assert post(cast.api(), {"instances": [{}]}, path=path).status_code == 404


def test_uploads_are_compared_by_content_and_not_by_boundary(cast: Cast) -> None:
    api = cast.api()
    post(api, model("wages"), key="model")

    def upload(boundary: str, content: bytes = ONNX, **more: str) -> Any:
        form = {"artifact": SimpleUploadedFile("model.onnx", content), **more}
        return api.post(
            f"{MODELS}/wages/versions",
            encode_multipart(boundary, form),
            content_type=f"multipart/form-data; boundary={boundary}",
            headers={"Idempotency-Key": "one"},
        )

    first, again = upload("aaaa"), upload("bbbb")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again["Location"] == first["Location"] == f"{MODELS}/wages/versions/1"
    assert upload("aaaa", ONNX + b"x").status_code == 422
    assert upload("aaaa", notes="other").status_code == 422
    with tenancy.scope(cast.acme.pk):
        assert Version.objects.count() == 1


def test_a_repeated_prediction_is_the_recorded_one(cast: Cast) -> None:
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    api, path = cast.api(), f"{MODELS}/wages/predict"
    body = {"instances": pipelines.wages().instances(1)}
    first, again = post(api, body, path=path), post(api, body, path=path)
    assert first.status_code == 200
    assert again.content == first.content
    assert post(api, body, key="two", path=path).json()["id"] != first.json()["id"]
    assert post(api, {"instances": [{}]}, path=path).status_code == 422


def test_a_repeated_roll_back_goes_back_once(cast: Cast) -> None:
    for _ in range(3):
        pipelines.publish(cast.acme, "wages", pipelines.wages())
    api, path = cast.api(), f"{MODELS}/wages/rollback"
    answers = [post(api, {}, path=path).json()["live_version"] for _ in range(2)]
    assert answers == [2, 2]


def test_old_answers_are_forgotten(cast: Cast) -> None:
    api = cast.api()
    post(api, model())
    with tenancy.scope(cast.acme.pk):
        assert idempotency.forget_old() == 0
        long_ago = timezone.now() - idempotency.KEPT - timedelta(minutes=1)
        IdempotentReply.objects.update(started=long_ago)
        assert idempotency.forget_old() == 1
    assert post(api, model()).status_code == 409


@pytest.mark.django_db(databases=["default", "owner"], transaction=True)
def test_twins_at_the_same_time_are_one_deed(cast: Cast) -> None:
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    key, together = cast.key(), Barrier(6)

    def send(number: int) -> Any:
        client = Client(headers={"Authorization": f"Bearer {key}"})
        together.wait()
        try:
            if number % 2:
                return post(client, {"instances": [{}]}, path=f"{MODELS}/wages/predict")
            return post(client, model())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(6)))
    assert {answer.status_code for answer in answers[::2]} == {201}
    assert len({answer.content for answer in answers[::2]}) == 1
    assert {answer.status_code for answer in answers[1::2]} == {200}
    assert len({answer.content for answer in answers[1::2]}) == 1
    with tenancy.scope(cast.acme.pk):
        assert HostedModel.objects.filter(slug="salary").count() == 1
        assert not Prediction.objects.exists()
