"""The servers of the comparison as child processes: started, watched, measured, ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
START_SECONDS = 180.0


class Broken(RuntimeError):
    """The benchmark can't go on; its text says why."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A process's memory in MB: resident, and its proportional share of what is shared."""

    rss: float
    pss: float


def free_port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    log: Path,
    python: str | Path = sys.executable,
) -> Iterator[subprocess.Popen[bytes]]:
    """``python ARGUMENTS`` in a process group of its own, from the project's root."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [python, *arguments],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def granian(app: str, interface: str, model: Path, log: Path) -> Iterator[str]:
    """A module of ours on Granian with two workers and uvloop, which serves FastAPI quicker than
    asyncio's loop or uvicorn do; yields its address."""
    options = ["--interface", interface, "--loop", "uvloop", "--no-ws", "--log-level", "warning"]
    with _module(["granian", *options, app], model, log) as address:
        yield address


@contextmanager
def uvicorn(app: str, model: Path, log: Path) -> Iterator[str]:
    """A module of ours on uvicorn with two workers; yields its address."""
    with _module(["uvicorn", "--log-level", "warning", app], model, log) as address:
        yield address


@contextmanager
def _module(arguments: Sequence[str], model: Path, log: Path) -> Iterator[str]:
    port = free_port()
    arguments = ["-m", *arguments, "--port", str(port), "--workers", str(WORKERS)]
    with running(arguments, {"BENCHMARK_MODEL": str(model)}, log) as process:
        wait_until(lambda: _listens(port), process, log)
        yield f"http://127.0.0.1:{port}"


def wait_until(
    ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, pause: float = 0.1
) -> None:
    """Raises Broken, with the end of the log, when the process ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise Broken(f"A server did not start. {log.name} ends:\n{tail}")
        time.sleep(pause)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(address: str) -> bool:
    """Whether a GET of the address answers 200."""
    with suppress(httpx.TransportError):
        return httpx.get(address, timeout=5).status_code == 200
    return False


def web_workers(above: int) -> list[int]:
    """Granian's worker processes below the process ``above``, as Linux's /proc shows them."""
    found = []
    for child in children(above):
        if _is_granian(above) and _is_granian(child):
            found.append(child)
        found += web_workers(child)
    return found


def memory_of(pid: int) -> Memory:
    """What /proc says of the process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return Memory(kilobytes["Rss:"] / 1024, kilobytes["Pss:"] / 1024)


def children(pid: int) -> list[int]:
    """The processes that it started and that live."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


def _is_granian(pid: int) -> bool:
    return b"granian" in Path(f"/proc/{pid}/cmdline").read_bytes()
