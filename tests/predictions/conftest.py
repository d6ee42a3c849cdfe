"""A journal of each test's own, and models that answer."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from berth.journal import Journal
from berth.signature import Signature
from predictions import answering
from tests import pipelines
from tests.cast import Cast

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    own = Journal(tmp_path / "journal")
    monkeypatch.setattr(answering, "JOURNAL", own)
    yield own
    own.close()


@pytest.fixture
def api(cast: Cast) -> Client:
    """A key of Acme's, where “wages” (a regression with gaps) is live."""
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    return cast.api()


@pytest.fixture
def ask(api: Client) -> Ask:
    """Ask for predictions; the body as JSON values or as it stands."""

    def go(body: Any, slug: str = "wages", client: Client = api, **more: Any) -> Any:
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        more.setdefault("content_type", "application/json")
        return client.post(f"/api/v1/models/{slug}/predict", data, **more)

    return go


def strict() -> Signature:
    """The wages' signature with everything needed and ``level`` enforced."""
    signature = pipelines.wages().signature
    fields = [replace(f, required=True, nullable=False, default=None) for f in signature.inputs]
    fields = [
        replace(f, enforced=frozenset({"choices"})) if f.name == "level" else f for f in fields
    ]
    return Signature(tuple(fields), signature.output)
