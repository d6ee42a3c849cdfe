"""Proof that a form's walls stand on this machine, and the choice of the form by that proof."""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models_hub.formats import Refused
from models_hub.sandbox import frames
from models_hub.sandbox.canary import WALLS
from models_hub.sandbox.forms import FORMS, Form
from models_hub.sandbox.limits import Limits
from models_hub.sandbox.process import ENVIRONMENT, Child, NoSandbox

CANARY = "models_hub.sandbox.canary"
LIMITS = Limits(wall=20.0, cpu=10, memory=1 << 30)
# Python, bubblewrap and threadpoolctl each set one that says nothing.
HARMLESS = (*ENVIRONMENT, "LC_CTYPE", "PWD", "KMP_DUPLICATE_LIB_OK")
#: How long a proof counts, and how long a failure is not looked at again.
HOLDS_SECONDS, FAILS_SECONDS = 3600.0, 30.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What a probe found. `walls`: by name "" for one that held, else what was possible."""

    form: Form
    reason: str
    walls: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every wall stands, so that code can be kept in."""
        return self.form.holds_code and not self.reason


def probe(form: Form) -> Proof:
    """Let a canary try each wall of a form, started just as for an upload.

    Never raises: whatever goes wrong is a reason not to use the form, in words for the operator.
    """
    if reason := form.unavailable():
        return Proof(form, reason)
    try:
        walls = _tried(form)
    except (NoSandbox, OSError) as error:
        return Proof(form, f"{error}{_hint(str(error))}")
    gaps = [f"{name}: {gap}" for name, gap in walls.items() if gap]
    return Proof(form, f"{form.name} does not hold ({'; '.join(gaps)})." if gaps else "", walls)


def _tried(form: Form) -> dict[str, str]:
    walls = dict.fromkeys(WALLS, "the canary did not come back")
    with (
        suppress(Refused),  # it ended otherwise than it should, and left walls untold
        _bait() as arguments,
        Child(CANARY, arguments, LIMITS, form) as child,
    ):
        for _, payload in child.messages():
            told = frames.parse(payload)
            walls[str(told.get("wall"))] = str(told.get("gap"))
    return walls


@contextmanager
def _bait() -> Iterator[dict[str, Any]]:
    """What a child without walls could read and write, and our own number."""
    with tempfile.TemporaryDirectory(prefix="berth-canary-") as folder:
        os.chmod(folder, 0o777)  # noqa: S103  (it is bait)
        secret = Path(folder, "secret")
        secret.write_text("nobody inside may read this")
        secret.chmod(0o644)
        yield {
            "secret": str(secret),
            "writable": folder,
            "parent": os.getpid(),
            "environment": HARMLESS,
            "memory": LIMITS.memory,
            "threads": resource.getrlimit(resource.RLIMIT_NPROC)[1],
        }


# What bubblewrap prints where a container or a distribution stands in its way.
_HINTS = {
    "namespace": "allow user namespaces to this process, or run the worker in a pool of its own",
    "Permission denied": "an AppArmor or seccomp profile of the container forbids it",
    "Operation not permitted": "an AppArmor or seccomp profile of the container forbids it",
}


def _hint(error: str) -> str:
    hint = next((hint for sign, hint in _HINTS.items() if sign in error), "")
    return f" ({hint}; see docs/sandbox.md)" if hint else ""


def candidates(setting: str, *, production: bool) -> list[Form]:
    """The forms to try, in order. Landlock is production's only where the operator says so."""
    by_itself = ["bubblewrap"] if production else ["bubblewrap", "landlock"]
    names = {"auto": by_itself, "off": []}.get(setting, [setting])
    return [FORMS[name] for name in names]


def choose(setting: str, *, production: bool) -> Proof:
    """The first candidate that holds; else the form without walls, and why there is no other."""
    reasons = []
    for form in candidates(setting, production=production):
        proof = probe(form)
        if proof.holds:
            return proof
        reasons.append(proof.reason)
    return Proof(FORMS["process"], " ".join(reasons) or "BERTH_SANDBOX=off switches it off.")


class Choice:
    """The form in use by this process: proven at the first question, and again every hour."""

    def __init__(self, setting: str, *, production: bool) -> None:
        self._setting, self._production = setting, production
        self._proof: Proof | None = None
        self._until = 0.0

    def proof(self) -> tuple[Proof, bool]:
        """The proof in force, and whether it was made just now."""
        if self._proof is not None and time.monotonic() < self._until:
            return self._proof, False
        self._proof = choose(self._setting, production=self._production)
        seconds = HOLDS_SECONDS if self._proof.holds else FAILS_SECONDS
        self._until = time.monotonic() + seconds
        return self._proof, True

    def forget(self) -> None:
        """Ask anew at the next question."""
        self._proof = None
