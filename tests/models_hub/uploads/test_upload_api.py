"""An upload by the API, from the file to the sealed version or the refusal."""

import pickle
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.test import Client

from berth.predictor import Predictor
from models_hub import compact, sealing, storage
from models_hub.conversion.answers import Answers
from models_hub.models import Version
from portal import tenancy, uploads
from portal.models import AuditEntry, Organisation
from tests import pipelines
from tests.cast import Cast
from tests.models_hub.uploads.conftest import ONNX, VERSIONS, Upload
from workers.certifying.ways import WAYS, Candidate, Rows

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def test_an_upload_is_acknowledged_before_it_is_inspected(upload: Upload, cast: Cast) -> None:
    answer = upload(notes="First try.", target="wage", metrics='{"mae": 12.5}')
    assert answer.status_code == 202
    assert answer["Location"] == f"{VERSIONS}/1"
    version = answer.json()
    assert (version["model"], version["number"], version["status"]) == ("wages", 1, "inspecting")
    assert (version["format"], version["filename"], version["size"]) == ("onnx", "model.onnx", 102)
    assert (version["notes"], version["target"]) == ("First try.", "wage")
    assert version["metrics"] == {"mae": 12.5}
    assert (version["signature"], version["refusal"], version["bundle_sha256"]) == (None,) * 3
    assert [stage["name"] for stage in version["report"]["stages"]] == ["received"]
    with tenancy.scope(cast.acme.pk):
        assert AuditEntry.objects.filter(action="version.uploaded").count() == 1


def test_a_skops_file_with_a_sample_becomes_a_sealed_version(
    inspected: Upload, api: Client, cast: Cast
) -> None:
    trained = pipelines.wages()
    version = inspected(
        trained.skops,
        "model.skops",
        sample=SimpleUploadedFile("people.csv", trained.sample),
        target="wage",
    )
    assert (version["status"], version["refusal"]) == ("ready", None), version
    report = version["report"]
    assert [stage["name"] for stage in report["stages"]] == list(sealing.STAGES)
    assert {stage["status"] for stage in report["stages"]} == {"done"}
    assert all(
        stage["seconds"] >= 0 and isinstance(stage["detail"], str) for stage in report["stages"]
    )
    assert report["runtime"] == "onnx"
    assert report["parity"]["rows"] >= 500
    assert report["parity"]["max_relative_error"] <= 1e-5
    assert report["parity"]["mismatches"] == 0
    assert report["latency"]["p50_ms"] > 0
    assert report["architectures"]["embedded"] == {"available": True, "reason": ""}
    browser = report["architectures"]["browser"]
    assert (browser["available"], browser["lane"], browser["light"]["mismatches"]) == (
        True,
        "light",
        0,
    )
    assert browser["light"]["rows"] >= 2_000
    assert browser["light"]["worst"] <= 1e-5
    names = [field["name"] for field in version["signature"]["inputs"]]
    assert names == ["education", "experience", "city", "level"]
    assert version["signature"]["output"]["name"] == "wage"

    bundle = sealing.load(cast.acme.pk, version["bundle_sha256"])  # the installation's signature
    assert bundle.signature.to_json() == version["signature"]
    assert bundle.manifest["upload_sha256"] == version["sha256"]
    assert Predictor(bundle).verify_golden() > 0
    file, _ = compact.unpack(storage.read_stored(cast.acme.pk, browser["sha256"]))
    assert file["about"] == {"model": "wages", "version": 1, "bundle": bundle.sha256}
    assert file["signature"] == version["signature"]

    api.post(f"{VERSIONS}/1/promote")
    rows = trained.instances(5)
    answer = api.post(
        "/api/v1/models/wages/predict", {"instances": rows}, content_type="application/json"
    )
    assert answer.json()["predictions"] == pytest.approx(trained.predict(rows), rel=1e-5)


def test_an_onnx_file_becomes_a_sealed_version(inspected: Upload) -> None:
    version = inspected(pipelines.wages().onnx, "Model.ONNX")
    assert (version["status"], version["refusal"]) == ("ready", None), version
    assert version["format"] == "onnx"
    names = {field["name"] for field in version["signature"]["inputs"]}
    assert names == {"education", "experience", "city", "level"}


@pytest.mark.parametrize("name", ["model.joblib", "model.pkl"])
def test_a_pickled_pipeline_becomes_a_sealed_version(inspected: Upload, name: str) -> None:
    version = inspected(pickle.dumps(pipelines.wages().pipeline), name)
    assert (version["status"], version["refusal"]) == ("ready", None), version
    assert version["format"] == ("joblib" if name.endswith(".joblib") else "pickle")


def test_a_pickle_without_a_model_is_refused(inspected: Upload) -> None:
    version = inspected(pickle.dumps(7), "model.pkl")
    assert (version["status"], version["refusal"]["code"]) == ("refused", "not_a_predictor")
    assert version["report"]["stages"][-1]["status"] == "failed"
    assert (version["signature"], version["bundle_sha256"]) == (None, None)


WRONG = [
    ("model.txt", b"hello", "format_unknown"),
    ("model", b"hello", "format_unknown"),
    ("model.onnx", b"PK\x03\x04 is a zip", "type_mismatch"),
    ("model.skops", b"\x80\x04 is a pickle", "type_mismatch"),
    ("model.joblib", b"plain text", "type_mismatch"),
    ("model.onnx", b"", "empty_file"),
]


@pytest.mark.parametrize(("name", "content", "code"), WRONG)
def test_a_file_that_is_no_model_is_refused_at_once(
    upload: Upload, api: Client, name: str, content: bytes, code: str
) -> None:
    answer = upload(content, name)
    assert answer.status_code == 422, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    error = answer.json()["errors"][0]
    assert (error["pointer"], error["code"]) == ("/artifact", code)
    assert api.get(VERSIONS).json()["items"] == []


def test_a_form_without_the_file_names_the_field(api: Client) -> None:
    for form in ({}, {"artifact": "model.onnx"}, {"model": SimpleUploadedFile("m.onnx", ONNX)}):
        answer = api.post(VERSIONS, form)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/artifact"
        assert "multipart form field “artifact”" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metrics", "{"),
        ("metrics", "[1]"),
        ("metrics", '{"mae": NaN}'),
        ("metrics", '{"a": "\\u0000"}'),
        ("metrics", '{"a": "' + "x" * 100_000 + '"}'),
        ("target", "x" * 201),
        ("notes", "a\0b"),
        ("notes", "x" * 10_001),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_field_that_is_off_is_named(upload: Upload, field: str, value: str) -> None:
    answer = upload(**{field: value})
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["pointer"] == f"/{field}"


def test_the_page_names_a_field_that_is_off_too(api: Client, cast: Cast) -> None:
    page = cast.browser(cast.alice)
    for target in ("a\0b", "x" * 201):
        form = {"artifact": SimpleUploadedFile("model.onnx", ONNX), "target": target}
        assert page.post("/models/wages/upload", form).status_code == 422


def test_metrics_may_come_as_a_file(upload: Upload) -> None:
    answer = upload(metrics=SimpleUploadedFile("metrics.json", b'{"r2": 0.5}'))
    assert answer.json()["metrics"] == {"r2": 0.5}


def test_a_body_that_is_not_multipart_is_refused(api: Client) -> None:
    assert api.post(VERSIONS, {}, content_type="application/json").status_code == 415
    broken = api.post(VERSIONS, b"x", content_type="multipart/form-data")
    assert broken.status_code == 400
    assert broken["Content-Type"] == "application/problem+json"


def test_a_file_beyond_the_limit_is_too_large(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(uploads.LIMITS, "artifact", 1024**2)
    assert upload(ONNX + b"x" * 1024**2).status_code == 413
    answer = upload(ONNX + b"x" * 2 * 1024**2)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "“artifact” is larger than the 1 MB taken here."
    assert upload().status_code == 202


def test_an_upload_beyond_the_quota_is_too_large(upload: Upload, cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        Organisation.objects.update(storage_quota=250)
    assert [upload().status_code for _ in range(3)] == [202, 202, 413]
    answer = upload()
    assert answer.json()["type"] == "/api/problems/quota"
    with tenancy.scope(cast.acme.pk):
        assert Version.objects.count() == 2


def test_an_unknown_model_is_not_found_before_the_body_is_read(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(uploads.LIMITS, "artifact", 10)
    form = {"artifact": SimpleUploadedFile("model.onnx", ONNX)}
    assert api.post("/api/v1/models/nothing/versions", form).status_code == 404
    assert api.post("/api/v1/models/nothing/versions", b"", "text/plain").status_code == 404


def test_versions_are_listed_newest_first(upload: Upload, api: Client) -> None:
    for _ in range(3):
        upload()
    page = api.get(VERSIONS, {"limit": 2}).json()
    assert [version["number"] for version in page["items"]] == [3, 2]
    rest = api.get(VERSIONS, {"limit": 2, "cursor": page["next"]}).json()
    assert [version["number"] for version in rest["items"]] == [1]
    assert rest["next"] is None


def test_another_organisation_finds_no_version(upload: Upload, cast: Cast) -> None:
    upload()
    charlie = cast.api(organisation=cast.other)
    assert charlie.get(f"{VERSIONS}/1").status_code == 404
    assert charlie.get(VERSIONS).status_code == 404
    form = {"artifact": SimpleUploadedFile("model.onnx", ONNX)}
    assert charlie.post(VERSIONS, form).status_code == 404


def test_a_version_never_changes_once_it_is_sealed(
    inspected: Upload, quick: list[int], cast: Cast
) -> None:
    assert inspected()["status"] == "ready"
    for sql in (
        "UPDATE models_hub_version SET notes = 'x'",
        "UPDATE models_hub_version SET size = 1",
    ):
        with (
            pytest.raises(DatabaseError, match="never changes"),
            tenancy.scope(cast.acme.pk),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)


def test_the_next_upload_inherits_what_a_person_said(
    inspected: Upload, api: Client, quick: list[int]
) -> None:
    inspected()
    changes = {"inputs": [{"name": "city", "label": "Where?"}]}
    api.post(f"{VERSIONS}/1/signature", changes, content_type="application/json")
    fields = {f["name"]: f for f in inspected()["signature"]["inputs"]}
    assert fields["city"]["label"] == "Where?"


def test_a_version_whose_ways_answer_differently_cannot_be_promoted(
    inspected: Upload, api: Client, quick: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    offline = WAYS["offline"]

    def off(candidate: Candidate, rows: Rows) -> Answers:
        return Answers(offline.answer(candidate, rows).values * 1.001)

    monkeypatch.setitem(WAYS, "offline", replace(offline, answer=off))
    version = inspected()
    assert version["status"] == "ready"
    certificate = version["report"]["certificate"]
    assert not certificate["passed"]
    assert certificate["ways"]["offline"]["mismatches"] == certificate["rows"]
    assert version["report"]["stages"][-1]["status"] == "failed"
    answer = api.post(f"{VERSIONS}/1/promote")
    assert answer.status_code == 409
    assert answer.json()["type"] == "/api/problems/not_certified"
    assert api.get("/api/v1/models/wages").json()["live_version"] is None
