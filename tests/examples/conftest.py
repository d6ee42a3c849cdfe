"""The careers site in a process of its own, following a portal."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.instance import ROOT, free_port, wait_for
from tests.runtime.conftest import key  # noqa: F401  (a fixture)
from tests.runtime.feed.conftest import bundles, portal  # noqa: F401  (fixtures)
from tests.runtime.feed.fake import FakePortal


class Site:
    """examples/flask_app as `flask run` starts it: a thread for each request."""

    def __init__(self, feed: str, api_key: str, public_key: Ed25519PublicKey, home: Path) -> None:
        raw = public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "careers", "run", "--port", str(port)],
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT / 'runtime'}:{ROOT / 'examples/flask_app'}",
                "BERTH_FEED": feed,
                "BERTH_KEY": api_key,
                "BERTH_PUBLIC_KEY": base64.b64encode(raw).decode(),
                "BERTH_FOLDER": str(home / "models"),
            },
        )
        self.client = httpx.Client(base_url=self.url, timeout=30)
        wait_for(self.is_up, 30, "the site's start")

    def is_up(self) -> bool:
        try:
            return self.client.get("/health").status_code in (200, 503)
        except httpx.TransportError:
            return False

    def version(self) -> int | None:
        version: int | None = self.client.get("/health").json()["version"]
        return version

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def site(portal: FakePortal, key: Ed25519PrivateKey, tmp_path: Path) -> Iterator[Site]:  # noqa: F811
    started = Site(portal.url, portal.token, key.public_key(), tmp_path)
    yield started
    started.stop()
