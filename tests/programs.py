"""Programs from outside: tests that need one say so, and are skipped without it.

With REQUIRE_SERVICES=1 (``.ci/run``) a missing program is a failure instead.
"""

import os
import shutil
from collections.abc import Callable
from typing import NoReturn

import pytest


def require_program(name: str) -> str:
    """The path of the program ``name``; skips or fails the test without it."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed")
    return found


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where REQUIRE_SERVICES=1, since something outside is missing."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason}, and REQUIRE_SERVICES=1 requires it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """``require("chromium")`` in a test or in a fixture of any scope."""
    return require_program
