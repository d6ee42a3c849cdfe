"""Child processes that end with us: by ``stop()``, or by the kernel when we are killed."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ChildFailed(RuntimeError):
    """A child ended or did not become ready. Its text is for the operator."""


def end_with_parent(number: int) -> Callable[[], None]:
    """What a new child runs before its program: ask the kernel for ``number`` when we die.

    Only Linux can; elsewhere a killed parent leaves its children, and the next start says so.
    It has to come after the change of user, which subprocess makes before it calls us.
    """
    parent = os.getpid()

    def ask() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, number)
            if os.getppid() != parent:
                os._exit(1)

    return ask


@dataclass
class Child:
    """One program in a session of its own, so that the terminal's Ctrl-C reaches only us.

    ``signals`` are sent one after another until it ends, each with ``patience`` seconds; SIGKILL
    to its whole group follows. The first of them is also what it gets when we are killed.
    """

    name: str
    argv: Sequence[str | Path]
    log: Path
    environ: Mapping[str, str] | None = None
    signals: Sequence[signal.Signals] = (signal.SIGTERM,)
    patience: float = 6.0
    account: tuple[int, int] | None = None
    folder: Path | None = None
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, its output appended to ``log``."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        uid, gid = self.account or (None, None)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [os.fspath(part) for part in self.argv],
                env=self.environ,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=None if gid is None else [],
                preexec_fn=end_with_parent(self.signals[0]),
            )
        if self.niceness:
            os.setpriority(os.PRIO_PROCESS, self.process.pid, self.niceness)

    @property
    def pid(self) -> int:
        """The process's id; 0 before the start."""
        return self.process.pid if self.process else 0

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.process.poll() if self.process else None
        if code is None:
            return "it runs"
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def wait(self, seconds: float) -> int | None:
        """Its exit code, or None if it still runs after ``seconds``."""
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def ask_to_stop(self) -> None:
        """Send the first signal and return at once."""
        self._send(self.signals[0])

    def stop(self) -> None:
        """End it and whatever it started; return when it is gone. Harmless when it never ran."""
        if self.process is None:
            return
        for number in self.signals:
            self._send(number)
            if self.wait(self.patience) is not None:
                break
        self.sweep()
        self.process.wait()

    def sweep(self) -> None:
        """Kill what is left of its group, also after it has ended itself."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def tail(self, lines: int = 15) -> str:
        """The last lines that it wrote."""
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def _send(self, number: signal.Signals) -> None:
        if self.process is not None and self.alive:
            self.process.send_signal(number)


def wait_until(
    ready: Callable[[], bool], child: Child, seconds: float, pause: float = 0.02
) -> None:
    """Return when ``ready()``; raise ChildFailed when the child ends or time runs out."""
    end = time.monotonic() + seconds
    while not ready():
        if not child.alive or time.monotonic() > end:
            what = "did not become ready" if child.alive else "ended at once"
            raise ChildFailed(
                f"{child.name} {what}. The last lines of {child.log}:\n{child.tail()}"
            )
        time.sleep(pause)
