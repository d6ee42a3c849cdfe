"""A whole Berth, as ``make run`` starts it, for tests that kill parts of it."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it comes without types
import pytest

from portal.environment import VARIABLES

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 150.0  # a first start makes the database, on a machine that does other things
PASSWORD = "a long enough password"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_home() -> Path:
    """An empty BERTH_HOME that PostgreSQL can pass through when root runs the tests."""
    home = Path(tempfile.mkdtemp(prefix="berth-home-"))
    home.chmod(0o711)
    return home


def clean_environ(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a newcomer, with this home and these variables."""
    ours = {variable.name for variable in VARIABLES} | {"DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "BERTH_HOME": str(home), **variables}


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when the condition holds; fail the test with ``what`` after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"Not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


class Instance:
    """One Berth with a home of its own, without the demo."""

    def __init__(self, home: Path | None = None, **variables: str) -> None:
        self.home = home or new_home()
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.environ = clean_environ(self.home, PORT=str(self.port), **variables)
        self.printed = self.home / "printed"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it is ready."""
        with self.printed.open("wb") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "portal.supervisor", "--no-demo"],
                cwd=ROOT,
                env=self.environ,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while "Ready at" not in self.printed.read_text():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"It did not start:\n{self.printed.read_text()}")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Whether /health/ready answers 200."""
        with (
            suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{self.base_url}/health/ready", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        return []

    def web_workers(self) -> list[int]:
        """The ids of the web's answering processes: what to kill -9 in a test."""
        return self._below("granian")

    def celery_workers(self) -> list[int]:
        """The ids of the Celery processes that do the tasks."""
        return self._below("celery worker", "worker --queues")

    def server(self, program: str) -> int:
        """The id of the supervisor's own child whose command names ``program``."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return next(int(child.pid) for child in children if program in " ".join(child.cmdline()))

    def create_organisation(self, slug: str, owner: str | None = None) -> dict[str, str]:
        """What `manage.py create_organisation` prints; the owner's password is PASSWORD."""
        done = self.manage(
            *("create_organisation", slug, "--name", slug.title(), "--json"),
            *("--owner", owner or f"{secrets.token_hex(4)}@example.com", "--password", PASSWORD),
        )
        assert done.returncode == 0, done.stderr
        made: dict[str, str] = json.loads(done.stdout)
        return made

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``manage.py`` for this home, as an operator beside it would."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def remove(self) -> None:
        """Stop it and forget its home."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _below(self, *commands: str) -> list[int]:
        """The children of those children of the supervisor whose command has one of these."""
        assert self.process is not None
        found: list[int] = []
        for child in psutil.Process(self.process.pid).children():
            if any(command in " ".join(child.cmdline()) for command in commands):
                found += [int(below.pid) for below in child.children()]
        return found


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    """A whole Berth, started once for all tests that ask for it."""
    berth = Instance()
    try:
        berth.start()
        yield berth
    finally:
        berth.remove()
