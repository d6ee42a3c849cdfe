"""Whose turn it is to run the embedded servers of a BERTH_HOME.

``make run`` takes the turn and keeps it; a command of ``manage.py`` takes it for its own duration
or uses the servers of a running ``make run``. The lock is the kernel's and ends with its holder.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PATIENCE = 60.0
SERVING = "serving"


class Occupied(RuntimeError):
    """Another process has the turn. Its text is one sentence for the operator."""


@contextmanager
def turn(home: Path, *, stays: bool = False) -> Iterator[Callable[[], None] | None]:
    """Take the turn, or find that ``make run`` has it.

    Yields None when a running ``make run`` serves this home (never if we ``stay``); else what to
    call when our servers are ready for others. Waits for other commands. Raises Occupied.
    """
    path = home / "lock"
    with path.open("a+") as file:
        end = time.monotonic() + PATIENCE
        while not _taken(file):
            state = path.read_text()
            if stays and state:
                raise Occupied(f"Berth already runs in {home}: stop it, or set another BERTH_HOME.")
            if state == SERVING:
                yield None
                return
            if time.monotonic() > end:
                raise Occupied(f"Another command holds {path} for a minute now: end it first.")
            time.sleep(0.1)
        _say(file, "starting" if stays else "")
        try:
            yield lambda: _say(file, SERVING) if stays else None
        finally:
            _say(file, "")


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say(file: IO[str], state: str) -> None:
    file.truncate(0)
    file.write(state)
    file.flush()
