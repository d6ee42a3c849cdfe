"""The careers site in a process of its own, and applicants who ask it without a pause."""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.instance import ROOT, free_port, wait_for

CLIENTS = 3


class Site:
    """examples/flask_app as `flask run` starts it: a thread for each request."""

    def __init__(self, feed: str, api_key: str, public_key: Ed25519PublicKey, home: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "careers", "run", "--port", str(port)],
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT / 'runtime'}:{ROOT / 'examples/flask_app'}",
                "BERTH_FEED": feed,
                "BERTH_KEY": api_key,
                "BERTH_PUBLIC_KEY": base64.b64encode(public_key.public_bytes_raw()).decode(),
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


@contextmanager
def asked(site: Site, row: dict[str, Any]) -> Iterator[Callable[[int], None]]:
    """Clients ask all the while; gives a function that waits until a version answers them.

    Every answer must come, and be of the version that it names: models answer about 1000 times
    their version.
    """
    over, seen = threading.Event(), list[int]()

    def ask() -> None:
        with httpx.Client(base_url=site.url, timeout=30) as client:
            while not over.is_set():
                answer = client.post("/estimate", json=row)
                assert answer.status_code == 200, answer.text
                told = answer.json()
                assert told["estimate"] // 1000 == told["version"], "a mixed answer"
                seen.append(told["version"])

    def until(version: int) -> None:
        wait_for(lambda: version in seen[-CLIENTS:], 30, f"an answer of version {version}")

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask) for _ in range(CLIENTS)]
        try:
            yield until
        finally:
            over.set()
        for done in asking:
            done.result()
