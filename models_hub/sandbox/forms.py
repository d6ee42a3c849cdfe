"""The forms of the sandbox: how a child is started, and which walls stand around it."""

import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, ClassVar

from models_hub.sandbox import filters, kernel, layout

#: Numbers that no distribution gives to anybody; see "Users, Groups, UIDs and GIDs on systemd
#: Systems". Each child takes one by chance, so that what the kernel counts per user is its own.
_FREE_USERS = range(0x70000000, 0x7FFFFFFE)
_FEWER_USERS = range(40000, 60000)  # where a container maps no more than 65,536
_INSIDE = "/job"  # where bubblewrap shows what is lent
_NOBODY = 65534


@dataclass(slots=True)
class Start:
    """How one child is started: its program's arguments, and what `first.py` is told."""

    command: list[str]
    config: dict[str, Any]
    inherited: list[int] = field(default_factory=list)
    lent: dict[str, str] = field(default_factory=dict)
    """The paths, inside, of the files that were lent, by the names that the caller gave."""


class Form(ABC):
    """One way of starting a child."""

    name: ClassVar[str]
    holds_code: ClassVar[bool]
    """Whether it is a wall against code that an upload brings."""

    @abstractmethod
    def unavailable(self) -> str:
        """Why it can't be had on this machine, with the way out; "" when nothing speaks against
        it. Only the probe shows that it holds."""

    @abstractmethod
    def start(self, stack: ExitStack, python: Sequence[str], files: Mapping[str, Path]) -> Start:
        """How to start `python` (a command line) with `files` readable; what has to stay open
        until the child is started goes on the `stack`. Raises OSError."""

    def exit_code(self, code: int) -> int:
        """The child's own exit code (negative: a signal's number), from the program's."""
        return code


class Process(Form):
    """Limits and an empty environment only. Accidents stay inside; code would not."""

    name = "process"
    holds_code = False

    def unavailable(self) -> str:
        return ""

    def start(self, stack: ExitStack, python: Sequence[str], files: Mapping[str, Path]) -> Start:
        lent = {name: str(path.resolve()) for name, path in files.items()}
        return Start([*python], {"parent": os.getpid()}, lent=lent)


class Bubblewrap(Form):
    """Namespaces of its own made by bubblewrap, an outer and an inner filter, a user of its own."""

    name = "bubblewrap"
    holds_code = True

    def unavailable(self) -> str:
        if os.uname().sysname != "Linux":
            return "bubblewrap runs on Linux only."
        if not shutil.which("bwrap"):
            return "bubblewrap is not installed: install it (apt install bubblewrap)."
        return ""

    def start(self, stack: ExitStack, python: Sequence[str], files: Mapping[str, Path]) -> Start:
        seccomp = _holding(stack, filters.outer())
        opened = {name: stack.enter_context(path.open("rb")) for name, path in files.items()}
        lent = {name: f"{_INSIDE}/{name}" for name in files}
        command = [str(shutil.which("bwrap")), *_NAMESPACES.split()]
        config: dict[str, Any] = {"filter": True}
        if os.geteuid() == 0:
            command += _ROOTS_CAPABILITIES.split()
            config["user"] = _free_user()
        else:
            command += ["--unshare-user", "--disable-userns", "--assert-userns-disabled"]
            command += ["--uid", str(_NOBODY), "--gid", str(_NOBODY), "--cap-drop", "ALL"]
        shown = layout.readable()
        command += _folders([*shown, *map(Path, lent.values())])
        for path in shown:
            command += ["--ro-bind", str(path), str(path)]
        for name, file in opened.items():
            command += ["--perms", "0444", "--ro-bind-data", str(file.fileno()), lent[name]]
        command += ["--remount-ro", "/", "--chdir", "/", "--seccomp", str(seccomp), "--"]
        inherited = [seccomp, *(file.fileno() for file in opened.values())]
        return Start([*command, *python], config, inherited, lent)

    def exit_code(self, code: int) -> int:
        return 128 - code if code > 128 else code  # as a shell tells of a signal


# No session of its own inside: whoever is started here has one already, with no terminal, and a
# signal to all of that session has to reach the child too.
_NAMESPACES = """
--unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup --hostname sandbox
--die-with-parent
"""
# Real root gives its rights up inside: until then it needs those that let it.
_ROOTS_CAPABILITIES = """
--cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP
"""


def _folders(paths: Sequence[Path]) -> list[str]:
    """Each parent by name: those that bubblewrap makes itself are closed to the child's user."""
    parents = sorted({parent for path in paths for parent in path.parents if parent != Path("/")})
    return [word for parent in parents for word in ("--perms", "0755", "--dir", str(parent))]


class Landlock(Form):
    """Landlock, the inner filter, limits, and for root a user of its own. Nothing is installed."""

    name = "landlock"
    holds_code = True

    def unavailable(self) -> str:
        if os.uname().sysname != "Linux":
            return "Landlock is in Linux only."
        if (found := kernel.landlock_version()) < kernel.LANDLOCK_NEEDED:
            return (
                f"This kernel has Landlock version {found} and {kernel.LANDLOCK_NEEDED} is needed:"
                " use Linux 6.12 or newer with Landlock switched on, or install bubblewrap."
            )
        return ""

    def start(self, stack: ExitStack, python: Sequence[str], files: Mapping[str, Path]) -> Start:
        shown = layout.readable()
        user = _free_user() if os.geteuid() == 0 else None
        opened = {name: _readable_by(stack, path, user) for name, path in files.items()}
        config: dict[str, Any] = {
            "filter": True,
            "parent": os.getpid(),
            "landlock": {"paths": [str(path) for path in shown], "files": [*opened.values()]},
        }
        if user is not None:
            config["user"] = user
            config["reads_everything"] = layout.closed_to_others(shown) is not None
        lent = {name: f"/proc/self/fd/{file}" for name, file in opened.items()}
        return Start([*python], config, [*opened.values()], lent)


def _readable_by(stack: ExitStack, path: Path, user: int | None) -> int:
    """The file, open; for another user a copy without a name, since opening it anew by its number
    asks the file's owner and mode again."""
    file = stack.enter_context(path.open("rb"))
    if user is None:
        return file.fileno()
    copy = stack.enter_context(TemporaryFile())  # noqa: SIM115  (the stack closes it)
    shutil.copyfileobj(file, copy, 1 << 20)
    copy.flush()
    os.fchown(copy.fileno(), user, user)
    # The copy's own number can be written to, by a shared mapping even where no file may grow.
    reading = os.open(f"/proc/self/fd/{copy.fileno()}", os.O_RDONLY)
    stack.callback(os.close, reading)
    return reading


def _holding(stack: ExitStack, content: bytes) -> int:
    """An open file with this content, at its beginning."""
    file = stack.enter_context(TemporaryFile())  # noqa: SIM115  (the stack closes it)
    file.write(content)
    file.seek(0)
    return file.fileno()


def _free_user() -> int:
    users = _FREE_USERS if _is_mapped(_FREE_USERS[-1]) else _FEWER_USERS
    return secrets.choice(users)


def _is_mapped(user: int) -> bool:
    """Whether this user namespace knows the number."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= user < first + count:
            return True
    return False


FORMS: dict[str, Form] = {form.name: form for form in (Bubblewrap(), Landlock(), Process())}


def first_available() -> Form:
    """The first form that this machine seems to have."""
    return next(form for form in FORMS.values() if not form.unavailable())
