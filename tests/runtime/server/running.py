"""`berth serve` as an operator starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.runtime.server.portal import ServerPortal

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 30.0


class Server:
    """A running model server; `get` and `post` carry the key."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path, key: str) -> None:
        self.process = process
        self.port = port
        self.log = log
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False
        )

    def metrics(self, key: str = "") -> httpx.Response:
        """What /metrics says to a key, or to this machine."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        address = f"http://127.0.0.1:{self.port}/metrics"
        return httpx.get(address, headers=headers, trust_env=False)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.http.get(path, **more)

    def infer(self, columns: dict[str, Any], model: str = "pay", **more: Any) -> httpx.Response:
        """Ask with JSON, each column by the datatype of its values."""
        return self.http.post(f"/v2/models/{model}/infer", json=request(columns, **more))

    def wait_ready(self) -> None:
        """Until it says that it is ready. Fails with its log when it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The server is not ready:\n{self.log.read_text()}")
            time.sleep(0.02)

    def wait_for_any(self) -> None:
        """Until it answers at all."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                self.get("/v2/health/live")
                return
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def is_ready(self) -> bool:
        try:
            return self.get("/v2/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def wait_for(self, path: str, status: int, seconds: float = 10) -> None:
        """Until the address answers with the status."""
        deadline = time.monotonic() + seconds
        while (answer := self.get(path)).status_code != status:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.02)

    def workers(self) -> list[int]:
        """The processes that answer."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]

    def kill(self) -> None:
        """kill -9 of every process."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(40)


def request(columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An inference request of columns."""
    kinds = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}
    inputs = []
    for name, values in columns.items():
        first = next((value for value in values if value is not None), 0.0)
        datatype = kinds[type(first)]
        inputs.append({"name": name, "shape": [len(values)], "datatype": datatype, "data": values})
    return {"inputs": inputs, **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    portal: ServerPortal, folder: Path, *options: str, key: str = "", ready: bool = True
) -> Iterator[Server]:
    """A server of the portal's in `folder`, ready to answer."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    log = folder / "log"
    command = [sys.executable, "-m", "berth", "serve", "--feed", portal.url]
    command += ["--folder", str(folder), "--port", str(port), "--processes", "1", *options]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "BERTH_TOKEN": portal.token, "PYTHONPATH": str(ROOT / "runtime")},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, port, log, key)
    try:
        if ready:
            server.wait_ready()
        yield server
    finally:
        if process.poll() is None:
            server.stop()
