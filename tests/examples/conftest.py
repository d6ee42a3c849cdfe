"""The careers site, following a portal of the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.examples.site import Site
from tests.runtime.conftest import key  # noqa: F401  (a fixture)
from tests.runtime.feed.conftest import bundles, portal  # noqa: F401  (fixtures)
from tests.runtime.feed.fake import FakePortal


@pytest.fixture
def site(portal: FakePortal, key: Ed25519PrivateKey, tmp_path: Path) -> Iterator[Site]:  # noqa: F811
    started = Site(portal.url, portal.token, key.public_key(), tmp_path)
    yield started
    started.stop()
