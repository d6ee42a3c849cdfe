"""The feed over HTTPS, from a portal with a certificate authority of its own."""

import ssl
import threading
from pathlib import Path

import pytest

from berth.bundle import Bundle
from berth.feed.manifest import Manifest
from berth.feed.sources import Away, CaughtUp, HttpSource
from tests.certificates import self_signed
from tests.instance import wait_for
from tests.runtime.feed.fake import FakePortal


@pytest.fixture
def authority(tmp_path: Path, portal: FakePortal) -> str:
    """The certificate's file; the portal shows it from now on."""
    path = tmp_path / "portal.pem"
    path.write_bytes(self_signed())
    portal.down()
    portal.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    portal.tls.load_cert_chain(path)
    portal.up()
    return str(path)


def test_it_follows_a_portal_whose_authority_it_was_given(
    portal: FakePortal, authority: str, bundles: list[Bundle], tmp_path: Path
) -> None:
    portal.promote(bundles[0], 1)
    source = HttpSource(portal.url, portal.token, verify_tls=authority)
    lines = source.lines(0)
    next(lines)
    assert next(lines) == CaughtUp(1)
    manifest = Manifest.read(portal.lines[0], portal.key.public_key())
    source.fetch(manifest, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == bundles[0].data
    reader = threading.Thread(target=lambda: list(lines))
    reader.start()
    wait_for(lambda: portal.waiting > 0, 10, "the long poll")
    source.close()
    reader.join(10)  # the poll itself would last 25 s
    assert not reader.is_alive()


def test_it_takes_nothing_from_a_portal_whose_authority_it_does_not_know(
    portal: FakePortal, authority: str
) -> None:
    source = HttpSource(portal.url, portal.token)
    away = next(source.lines(0))
    assert isinstance(away, Away)
    assert "certificate" in away.reason.lower()
    source.close()
