"""A portal with models and keys, and a server of it that most tests share."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.bundle import Bundle
from tests.runtime.server.portal import ServerPortal
from tests.runtime.server.running import Server, serving


@pytest.fixture(scope="session")
def lived_in(key: Ed25519PrivateKey, bundle: Bundle, classes: Bundle) -> Iterator[ServerPortal]:
    """Acme has `pay` (a regression) and `grade` (a classification)."""
    portal = ServerPortal(key)
    portal.promote(bundle, 1)
    portal.promote(classes, 1, "grade")
    portal.up()
    yield portal
    portal.down()


@pytest.fixture(scope="session")
def server(lived_in: ServerPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    secret = lived_in.issue()
    with serving(lived_in, tmp_path_factory.mktemp("server"), key=secret) as running:
        yield running
