"""The form "process": a child with an empty environment, limits, a clock and a cap on all it says.

It keeps accidents and resource attacks in. It is no wall against code that an upload brings: the
formats accepted so far (ONNX, and skops with a fixed list of types) bring none.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from models_hub.formats import Refused
from models_hub.sandbox.frames import Garbled, Reader

ROOT = Path(__file__).resolve().parents[2]
FIRST = Path(__file__).with_name("first.py")
ENVIRONMENT = {
    "JOBLIB_MULTIPROCESSING": "0",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "POLARS_MAX_THREADS": "1",
}
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use. Sizes in bytes, times in seconds."""

    wall: float = 120.0
    cpu: int = 100
    memory: int = 3 << 30
    open_files: int = 64
    output: int = 1 << 16
    result: int = 256 << 20

    def rlimits(self) -> dict[str, int]:
        """By the names of `resource`, without RLIMIT_."""
        return {
            "AS": self.memory,
            "CPU": self.cpu + 1,
            "NOFILE": self.open_files,
            "FSIZE": 0,
            "CORE": 0,
        }


Message = tuple[bytes, bytes]


class Child:
    """One child; a context manager, at whose end the child and all its children are gone.

    It starts, imports what it needs and waits; `messages` gives it its input and listens.
    """

    def __init__(self, job: str, arguments: dict[str, Any], limits: Limits) -> None:
        """Start `models_hub.sandbox.<job>`."""
        self._limits = limits
        self._given = TemporaryFile()  # noqa: SIM115 - closed with the child
        reading, writing = os.pipe()
        self._pipe = os.fdopen(reading, "rb", buffering=0)
        config = {
            "arguments": arguments,
            "given": self._given.fileno(),
            "job": job,
            "limits": limits.rlimits(),
            "parent": os.getpid(),
            "pipe": writing,
            "roots": [str(ROOT), str(ROOT / "runtime")],
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-W", "ignore", str(FIRST), json.dumps(config)],
                cwd="/",
                env=ENVIRONMENT,
                pass_fds=[writing, self._given.fileno()],
                start_new_session=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        finally:
            os.close(writing)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)
        self._pipe.close()
        self._given.close()

    def messages(self, given: bytes = b"") -> Iterator[Message]:
        """Let the child begin, with its input; yields its messages as they come.

        Ends when the child has ended by itself with success, which alone means nothing: the
        caller decides whether what it said is complete. Raises `Refused`: `inspection_timeout`,
        `inspection_out_of_time` (CPU), `inspection_crashed`, `inspection_too_talkative`,
        `inspection_garbled`.
        """
        self._given.write(given)
        self._given.flush()
        assert self._process.stdin is not None
        self._process.stdin.close()  # its end is the signal to begin
        reader = Reader(self._limits.result)
        try:
            for chunk in _chunks(self._process, self._pipe, self._limits):
                yield from reader.feed(chunk)
        except Garbled as error:
            raise Refused(
                "inspection_garbled", f"The inspection gave no usable result: {error}."
            ) from error
        _check_end(self._process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the whole group; it may already be gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _chunks(process: "subprocess.Popen[bytes]", pipe: IO[bytes], limits: Limits) -> Iterator[bytes]:
    """The result's bytes as they come, until the child closes its three streams."""
    deadline, said = time.monotonic() + limits.wall, 0
    with selectors.DefaultSelector() as selector:
        for stream in (pipe, process.stdout, process.stderr):
            assert stream is not None
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            for stream, chunk in _ready(selector, deadline, limits.wall):
                if not chunk:
                    selector.unregister(stream)
                elif stream is pipe:
                    yield chunk
                else:
                    said += len(chunk)
            if said > limits.output:
                raise Refused("inspection_too_talkative", "The inspection printed too much.")


def _ready(
    selector: selectors.BaseSelector, deadline: float, wall: float
) -> list[tuple[Any, bytes]]:
    left = deadline - time.monotonic()
    events = selector.select(left) if left > 0 else []
    if not events:
        raise Refused(
            "inspection_timeout", f"The inspection took longer than {wall:g} seconds and was ended."
        )
    return [(key.fileobj, os.read(key.fd, CHUNK)) for key, _ in events]


def _check_end(process: "subprocess.Popen[bytes]") -> None:
    try:
        code = process.wait(timeout=5)
    except subprocess.TimeoutExpired as error:
        raise Refused("inspection_timeout", "The inspection said all and did not end.") from error
    if code == -signal.SIGXCPU:
        raise Refused("inspection_out_of_time", "The inspection used up its processor time.")
    if code:
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        raise Refused(
            "inspection_crashed", f"The inspection ended {how}: the file is damaged or too large."
        )
