"""Sandboxes to attack."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models_hub.sandbox import Limits, frames, layout
from models_hub.sandbox.forms import FORMS, Form
from models_hub.sandbox.process import Child

INSIDE = Path(__file__).with_name("inside")
Probe = Callable[..., list[dict[str, Any]]]


@pytest.fixture(params=["bubblewrap", "landlock"])
def form(request: pytest.FixtureRequest, require: Callable[[str], str]) -> Form:
    """Each form that keeps code in."""
    if request.param == "bubblewrap":
        require("bwrap")
    found = FORMS[request.param]
    if missing := found.unavailable():
        pytest.skip(missing)
    return found


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The modules of the folder `inside` are jobs that a child can be given."""
    monkeypatch.setattr(layout, "ROOTS", (*layout.ROOTS, INSIDE))
    monkeypatch.setattr(layout, "CODE", (*layout.CODE, INSIDE))
    return INSIDE


@pytest.fixture
def probe(form: Form, inside: Path) -> Probe:
    """Runs a few lines of Python in a child; gives back what it tells."""

    def run(code: str, given: bytes = b"", **limits: Any) -> list[dict[str, Any]]:
        with Child("attack", {"code": code}, Limits(**limits), form) as child:
            return [frames.parse(payload) for _, payload in child.messages(given)]

    return run
