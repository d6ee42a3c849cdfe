"""Fixtures that every test may use."""

import pytest
from pytest_django.fixtures import Settings

from portal.keys import RING
from predictions.engine import ENGINE
from tests.cast import Cast, assemble


@pytest.fixture(autouse=True)
def fresh_process(settings: Settings) -> None:
    """Each test starts as a web process does: knowing nothing. Passwords are hashed lightly."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    RING.forget()
    ENGINE.forget()


@pytest.fixture
def cast(db: None) -> Cast:
    return assemble()
