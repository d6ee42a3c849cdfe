"""A Berth of its own, set up by the commands and the HTTP API that everybody uses."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import skops.io
from sklearn.pipeline import Pipeline

from benchmarks.servers import ROOT, WORKERS, Broken, answers, free_port, running, wait_until
from berth import bundle

SLUG = "pay"
READY_SECONDS = 120.0
CONNECTIONS_EACH = 12  # so that each of two workers is asked all but surely


@dataclass(frozen=True, slots=True)
class Installation:
    """A running Berth: where, whose key, and the process above all of its own."""

    home: Path
    address: str
    key: str
    pid: int

    @property
    def predict(self) -> str:
        return f"{self.address}/api/v1/models/{SLUG}/predict"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def ask(self, method: str, path: str, **content: object) -> dict[str, object]:
        """One call of the API. Raises Broken when it is refused."""
        url = f"{self.address}/api/v1{path}"
        response = httpx.request(method, url, headers=self.headers, timeout=60, **content)  # type: ignore[arg-type]  # json, files
        if response.is_error:
            raise Broken(f"{method} {path} answered {response.status_code}: {response.text}")
        return dict(response.json())

    def settle(self, *others: Path) -> None:
        """Wait until the worker has loaded what was journaled, here and in `others`, the model
        servers' journals: the next server deserves both processors."""
        deadline = time.monotonic() + READY_SECONDS
        for journal in (*others, self.home / "journal"):
            while any(journal.iterdir()) and time.monotonic() < deadline:
                time.sleep(0.2)


@contextmanager
def berth(folder: Path) -> Iterator[Installation]:
    """Berth in ``folder`` with an organisation whose limits are out of the way."""
    home, log, port = folder / "home", folder / "berth.log", free_port()
    environ = {"BERTH_HOME": str(home), "PORT": str(port), "BERTH_WEB_WORKERS": str(WORKERS)}
    address = f"http://127.0.0.1:{port}"
    with running(["-m", "portal.supervisor", "--no-demo"], environ, log) as process:
        wait_until(lambda: answers(f"{address}/health/ready"), process, log)
        yield Installation(home, address, _organisation(environ), process.pid)


def _organisation(environ: dict[str, str]) -> str:
    """Make it; returns its secret key."""
    command = ["manage.py", "create_organisation", "bench", "--name", "Bench", "--json"]
    command += ["--owner", "bench@bench.example", "--password", "as fast as it gets"]
    command += ["--calls-per-minute", "100000000"]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Broken(f"create_organisation failed: {done.stderr}")
    return str(json.loads(done.stdout)["secret_key"])


def upload(there: Installation, pipeline: Pipeline, slug: str = SLUG) -> bytes:
    """Upload, wait, promote. Returns the ONNX that Berth made, for the other servers to run; none
    (empty) where the model runs natively."""
    there.ask("POST", "/models", json={"slug": slug, "name": slug.capitalize()})
    files = {"artifact": ("pay.skops", skops.io.dumps(pipeline))}
    version = there.ask("POST", f"/models/{slug}/versions", files=files)
    path = f"/models/{slug}/versions/{version['number']}"
    deadline = time.monotonic() + READY_SECONDS
    while version["status"] == "inspecting" and time.monotonic() < deadline:
        time.sleep(0.2)
        version = there.ask("GET", path)
    if version["status"] != "ready":
        raise Broken(f"The upload is {version['status']}: {version['refusal']}")
    there.ask("POST", f"{path}/promote")
    sealed = next((there.home / "files").rglob(str(version["bundle_sha256"])))
    return bundle.read(sealed.read_bytes(), None).onnx


def load_versions(there: Installation, count: int, body: bytes) -> None:
    """Make ``count`` versions, each a Bundle of its own, and have each web worker load them all."""
    for number in range(1, count):
        changes = {"inputs": [{"name": "education", "help": f"Correction {number}"}]}
        there.ask("POST", f"/models/{SLUG}/versions/{number}/signature", json=changes)
    for number in range(1, count + 1):
        asked = {**json.loads(body), "version": number}
        for _ in range(CONNECTIONS_EACH):
            there.ask("POST", f"/models/{SLUG}/predict", json=asked)
