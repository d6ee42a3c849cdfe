"""A refused file stays until the organisation deletes it, and then goes without its report."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from models_hub import sandbox
from models_hub.formats import Refused
from models_hub.models import Version
from models_hub.quota import stored_bytes
from portal import tenancy
from portal.models import AuditEntry
from tests import pipelines
from tests.cast import Cast
from workers import tasks

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
VERSIONS = "/api/v1/models/wages/versions"
ONNX = b"\x08\x08" + b"x" * 100
Refuse = Callable[..., Any]


@pytest.fixture
def api(cast: Cast) -> Client:
    client = cast.api()
    body = {"slug": "wages", "name": "Wages"}
    assert client.post("/api/v1/models", body, content_type="application/json").status_code == 201
    return client


@pytest.fixture
def refused(api: Client, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Upload a file that the inspection refuses; returns the version."""

    def inspect(*args: Any, **more: Any) -> None:
        raise Refused("own_code", "mycompany.X is your own code.")

    monkeypatch.setattr(sandbox, "inspect", inspect)

    def go(content: bytes = ONNX, **more: Any) -> Any:
        files = {"artifact": SimpleUploadedFile("model.onnx", content), **more}
        answer = api.post(VERSIONS, files)
        tasks.inspect()
        return api.get(answer["Location"]).json()

    return go


def is_stored(cast: Cast, sha256: str) -> bool:
    return default_storage.exists(f"{cast.acme.pk}/{sha256[:2]}/{sha256}")


def test_a_refused_file_stays_and_can_be_deleted(api: Client, refused: Refuse, cast: Cast) -> None:
    version = refused()
    assert version["status"] == "refused"
    assert is_stored(cast, version["sha256"])
    answer = api.delete(f"{VERSIONS}/1")
    assert answer.status_code == 200, answer.content
    assert answer.json()["file_deleted"]
    assert answer.json()["refusal"] == version["refusal"]
    assert not is_stored(cast, version["sha256"])
    with tenancy.scope(cast.acme.pk):
        actions = [entry.action for entry in AuditEntry.objects.order_by("pk")]
        assert actions.count("version.file_deleted") == 1
        assert "version.refused" in actions
        assert stored_bytes() == 0
    assert api.delete(f"{VERSIONS}/1").json() == answer.json()


def test_a_file_that_another_version_shares_survives(
    api: Client, refused: Refuse, cast: Cast
) -> None:
    first, second = refused(), refused()
    assert first["sha256"] == second["sha256"]
    api.delete(f"{VERSIONS}/1")
    assert is_stored(cast, first["sha256"])
    api.delete(f"{VERSIONS}/2")
    assert not is_stored(cast, first["sha256"])


def test_a_sample_that_is_a_jobs_file_too_survives(
    api: Client, refused: Refuse, cast: Cast
) -> None:
    rows = pipelines.wages().sample
    pipelines.publish(cast.acme, "salary", pipelines.wages())
    job = api.post(
        "/api/v1/models/salary/jobs", {"file": SimpleUploadedFile("people.csv", rows)}
    )  # fmt: skip
    assert job.status_code in (201, 202), job.content
    refused(sample=SimpleUploadedFile("people.csv", rows))
    with tenancy.scope(cast.acme.pk):
        sample = Version.objects.get(model__slug="wages", number=1).sample_sha256
    api.delete(f"{VERSIONS}/1")
    assert is_stored(cast, sample)


def test_a_ready_version_keeps_its_file(api: Client, cast: Cast) -> None:
    pipelines.seal(cast.acme, "wages", pipelines.wages())
    answer = api.delete(f"{VERSIONS}/1")
    assert answer.status_code == 409
    assert "is ready" in answer.json()["detail"]


def test_the_page_offers_it_and_says_when_it_is_done(refused: Refuse, cast: Cast) -> None:
    version = refused()
    browser = cast.browser(cast.alice)
    page = browser.get("/models/wages/versions/1").content.decode()
    assert "Delete the file" in page
    assert browser.post("/models/wages/versions/1/delete").status_code == 302
    page = browser.get("/models/wages/versions/1").content.decode()
    assert "Delete the file" not in page
    assert "; deleted" in page
    assert not is_stored(cast, version["sha256"])
