"""Which sandbox the workers have, as they proved it last: what web processes go by.

A web process and its workers may be on different machines, so it is the workers' word that
counts. It goes stale: without a fresh one there is no sandbox.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from models_hub.models import SandboxCheck
from portal.errors import Unavailable

FRESH = timedelta(hours=2)
RETRY_SECONDS = 60
NOBODY = "No worker has proven its sandbox in the last two hours. Are the workers running?"


@dataclass(frozen=True, slots=True)
class Standing:
    """`form` is the form in use, "" where none is known; `holds` whether it keeps code in."""

    form: str
    holds: bool
    reason: str
    age: float | None = None
    """Seconds since it was tried."""


def note(form: str, *, holds: bool, reason: str, walls: Mapping[str, str]) -> None:
    """Keep what a probe on this machine found."""
    found = {"form": form, "holds": holds, "reason": reason, "walls": dict(walls), "at": Now()}
    SandboxCheck.objects.update_or_create(host=socket.gethostname(), defaults=found)


def standing() -> Standing:
    """The best of what the workers found lately: one machine with a sandbox is enough, since the
    others leave files that need it to that one."""
    fresh = SandboxCheck.objects.annotate(age=Now() - F("at")).order_by("-holds", "-at")
    for check in fresh:
        if check.age <= FRESH:
            age = check.age.total_seconds()
            return Standing(check.form, check.holds, check.reason, age)
    return Standing("", False, NOBODY)


def held_elsewhere() -> bool:
    """Whether a worker on another machine has a sandbox."""
    others = SandboxCheck.objects.filter(holds=True).exclude(host=socket.gethostname())
    return others.annotate(age=Now() - F("at")).filter(age__lt=FRESH).exists()


def told() -> dict[str, object]:
    """For readiness: the form that keeps code in ("none" without one, None while nobody knows),
    and how many seconds ago that was found."""
    found = standing()
    known = "none" if found.form else None
    return {"form": found.form if found.holds else known, "age": found.age}


def require(format: str) -> None:
    """Raise Unavailable (`sandbox_unavailable`) if files of a format that can bring code can't be
    opened just now."""
    found = standing()
    if not found.holds:
        raise Unavailable(
            f"A {format} file can bring code, and this server has no sandbox to open it in just"
            f" now: {found.reason} An ONNX file can be uploaded all the same.",
            code="sandbox_unavailable",
            retry_after=RETRY_SECONDS,
        )
