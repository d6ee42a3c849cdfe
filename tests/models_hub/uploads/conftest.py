"""A model that files are sent to, and sandboxes that find something at once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from models_hub import sandbox
from tests import pipelines
from tests.cast import Cast
from workers import tasks

VERSIONS = "/api/v1/models/wages/versions"
PAGE = "/models/wages/versions/1"
ONNX = b"\x08\x08" + b"x" * 100
Upload = Callable[..., Any]


@pytest.fixture
def api(cast: Cast) -> Client:
    client = cast.api()
    body = {"slug": "wages", "name": "Wages"}
    assert client.post("/api/v1/models", body, content_type="application/json").status_code == 201
    return client


@pytest.fixture
def upload(api: Client) -> Upload:
    """Send a file as ``artifact``; returns the answer."""

    def send(content: bytes = ONNX, name: str = "model.onnx", **more: Any) -> Any:
        return api.post(VERSIONS, {"artifact": SimpleUploadedFile(name, content), **more})

    return send


@pytest.fixture
def inspected(api: Client, upload: Upload) -> Upload:
    """Send a file, inspect it, and return the version as it ended."""

    def go(content: bytes = ONNX, name: str = "model.onnx", **more: Any) -> Any:
        answer = upload(content, name, **more)
        assert answer.status_code == 202, answer.content
        tasks.inspect()
        return api.get(answer["Location"]).json()

    return go


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sandboxes that find the wages' pipeline at once; a list with an entry for each."""
    trained, opened = pipelines.wages(), []

    def inspect(*args: Any, on_stage: Any, meanwhile: Any, **more: Any) -> sandbox.Inspection:
        opened.append(1)
        for name in ("inspected", "signature", "converted", "compared"):
            on_stage(name, "done", "", 0.1)
        golden: dict[str, Any] = {"instances": [], "predictions": []}
        parts = (trained.onnx, trained.signature, {"rows": 500}, {"p50_ms": 0.1}, golden)
        found = sandbox.Inspection("onnx", *parts, facts={})
        meanwhile(found)
        return found

    monkeypatch.setattr(sandbox, "inspect", inspect)
    return opened
