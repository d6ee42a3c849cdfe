"""A model that is live, and jobs that are scored by it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from berth.signature import Output, Signature
from models_hub import sealing
from models_hub.actions import create_model, promote
from models_hub.models import Version
from portal import tenancy, turns
from portal.access import system
from portal.models import Organisation
from tests import compacts
from tests.cast import Cast
from tests.runtime.conftest import INPUTS, REGRESSION, converted, people, trained
from workers import batch

CLASSIFICATION = Signature(INPUTS, Output("level", "classification", labels=("junior", "senior")))
Submit = Callable[..., Any]


@pytest.fixture(scope="session")
def regressor() -> Pipeline:
    return trained(LinearRegression(), lambda frame: 10 + 2 * frame.experience + frame.education)


@pytest.fixture(scope="session")
def classifier() -> Pipeline:
    return trained(
        LogisticRegression(), lambda frame: np.where(frame.experience > 20, "senior", "junior")
    )


def publish(
    organisation: Organisation,
    slug: str,
    pipeline: Pipeline,
    signature: Signature = REGRESSION,
    *,
    for_browsers: bool = False,
) -> Version:
    """A model whose first version is sealed and live; `for_browsers` as the judge measures it."""
    caller = system(organisation.pk)
    with tenancy.scope(organisation.pk):
        model = create_model(caller, slug, slug.title())
        version = Version(
            organisation=organisation,
            model=model,
            number=1,
            status=Version.Status.READY,
            format="onnx",
            filename="model.onnx",
            sha256="0" * 64,
            size=1,
            created_by="test",
        )
        sealing.seal(version, converted(pipeline), signature, {"golden": {}})
        if for_browsers:
            found = compacts.measured(converted(pipeline), signature)
            browser = sealing.put_compact(version, found.data, found.report)
            version.report = {"architectures": {"browser": browser}}
        version.save(force_insert=True)
        promote(caller, slug, 1)
    return version


@pytest.fixture
def salary(cast: Cast, regressor: Pipeline) -> Version:
    return publish(cast.acme, "salary", regressor)


@pytest.fixture
def level(cast: Cast, classifier: Pipeline) -> Version:
    return publish(cast.acme, "level", classifier, CLASSIFICATION)


@pytest.fixture
def api(cast: Cast, salary: Version) -> Client:
    return cast.api()


@pytest.fixture
def submit(api: Client) -> Submit:
    """Send a file; returns the answer's JSON."""

    def send(content: bytes, name: str = "people.csv", slug: str = "salary", **more: Any) -> Any:
        file = SimpleUploadedFile(name, content)
        answer = api.post(f"/api/v1/models/{slug}/jobs", {"file": file, **more})
        assert answer.status_code == 202, answer.content
        return answer.json()

    return send


@pytest.fixture
def bob(cast: Cast, salary: Version) -> Client:
    """Bob's browser."""
    return cast.browser(cast.bob)


@pytest.fixture
def no_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests ring themselves."""
    monkeypatch.setattr(turns, "ring", lambda kind: None)


@pytest.fixture
def run(submit: Submit, api: Client) -> Submit:
    """Send a file, score it, and return the job as it ended."""

    def go(content: bytes, name: str = "people.csv", slug: str = "salary", **more: Any) -> Any:
        job = submit(content, name, slug, **more)
        batch.drain(300)  # one slice is too short for a native model on a busy machine
        return api.get(f"/api/v1/jobs/{job['id']}").json()

    return go


@pytest.fixture
def rows(api: Client) -> Callable[[Any], list[Any]]:
    def read(job: Any, **query: Any) -> list[Any]:
        answer = api.get(f"/api/v1/jobs/{job['id']}/rows", {"limit": 1000, **query})
        assert answer.status_code == 200, answer.content
        items: list[Any] = answer.json()["items"]
        return items

    return read


def table(count: int = 40) -> Any:
    """People with ids, as a data frame."""
    frame = people(count)
    frame.insert(0, "id", [f"p{i}" for i in range(count)])
    return frame
