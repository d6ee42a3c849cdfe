"""Inspecting an upload: one child opens, one judges, and what is known at the end."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from berth.signature import Signature
from models_hub.formats import FORMATS, Refused
from models_hub.sandbox import claims, forms, frames
from models_hub.sandbox.forms import Form
from models_hub.sandbox.limits import Limits
from models_hub.sandbox.process import Child, NoSandbox

OPENING, JUDGING = "models_hub.sandbox.opening", "models_hub.sandbox.judging"
#: `on_stage(name, status, detail, seconds)`; status is "running", then "done". A stage that fails
#: stays running: the refusal that `inspect` raises ends it.
OnStage = Callable[[str, str, str, float], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of an inspection, as the report shows it."""

    name: str
    status: str
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an upload turned out to be.

    `onnx` and `signature` go into the Bundle, `golden` into its manifest. `parity` and `latency`
    are the contract's figures; `facts` are what the file says about itself, as texts.
    """

    format: str
    onnx: bytes
    signature: Signature
    parity: dict[str, Any]
    latency: dict[str, float]
    golden: dict[str, Any]
    facts: dict[str, str]
    stages: tuple[Stage, ...]
    runtime: str = "onnx"
    form: str = "process"
    """The sandbox's form in which the file was opened."""

    @property
    def report(self) -> dict[str, Any]:
        """The contract's report as far as the inspection knows it."""
        return {
            "runtime": self.runtime,
            "parity": self.parity,
            "latency": self.latency,
            "facts": self.facts,
            "sandbox": {"form": self.form},
        }


def inspect(
    path: Path,
    format: str,
    *,
    sample: Path | None = None,
    target: str | None = None,
    on_stage: OnStage | None = None,
    limits: Limits | None = None,
    form: Form | None = None,
    trusted: bool = False,
) -> Inspection:
    """Open, convert and compare the upload at `path` in child processes.

    `format` is a name out of `FORMATS`; `sample` a CSV or Parquet file of real rows, `target` the
    name of its column to predict. The stages `inspected`, `signature`, `converted` and `compared`
    are told to `on_stage` as they begin and end. `form` is by default the first that this machine
    seems to have. Raises `Refused` for whatever is wrong with the upload, `NoSandbox` when the
    form can't be had or is no wall against the code that such a file can bring; `trusted` says
    that we made this one ourselves.
    """
    if format not in FORMATS:
        raise Refused("format_unknown", f"There is no format {format!r}.")
    limits, course = limits or Limits(), _Course(on_stage or _nobody)
    form = form or forms.first_available()
    if FORMATS[format].brings_code and not (form.holds_code or trusted):
        raise NoSandbox(f"A {format} file can bring code, and no sandbox is in use here.")
    samples = {} if sample is None else {"sample": sample}
    # The seed decides the rows that are compared; it is ours, and new each time.
    shared = {"sample": None, "target": target, "seed": secrets.randbits(32)}
    arguments = {"format": format, **shared}
    course.begin()
    # Both start now: the judge's imports are done by the time it is needed.
    with (
        Child(OPENING, arguments, limits, form, {"path": path, **samples}) as opener,
        Child(JUDGING, shared, limits, form, samples) as judge,
    ):
        told, graph = _ask(course, opener)
        claim = claims.claim(told)
        verdict, onnx = _ask(course, judge, _packed(told, graph))
    course.check_complete()
    figures = claims.figures(verdict)
    return Inspection(
        format,
        onnx,
        claim.signature,
        **figures,
        facts=claim.facts,
        stages=tuple(course.stages),
        form=form.name,
    )


def _nobody(name: str, status: str, detail: str, seconds: float) -> None:
    """Nobody listens to the stages."""


@dataclass(slots=True)
class _Course:
    """Which stages are over, and how long each took."""

    on_stage: OnStage
    stages: list[Stage] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Tell that the next stage, if there is one, is running."""
        if len(self.stages) < len(claims.STAGES):
            self.on_stage(claims.STAGES[len(self.stages)], "running", "", 0.0)

    def done(self, name: str, detail: str) -> None:
        """The running stage is over; raises `Refused` if it is another one."""
        if list(claims.STAGES[: len(self.stages) + 1]) != [*(s.name for s in self.stages), name]:
            raise claims.garbled("its stages are out of order")
        now = time.monotonic()
        stage = Stage(name, "done", detail, round(now - self._since, 3))
        self._since = now
        self.stages.append(stage)
        self.on_stage(stage.name, stage.status, stage.detail, stage.seconds)
        self.begin()

    def check_complete(self) -> None:
        """Raise `Refused` unless every stage is over."""
        if len(self.stages) != len(claims.STAGES):
            raise claims.garbled("stages of it are missing")


def _ask(course: _Course, child: Child, given: bytes = b"") -> tuple[dict[str, Any], bytes]:
    """Let a child do its job: its result and the bytes behind it. Raises `Refused`."""
    result: dict[str, Any] | None = None
    payload: bytes | None = None
    for kind, content in child.messages(given):
        if kind == frames.BYTES:
            payload = content
            continue
        message = _parsed(content)
        if message.get("event") == "refused":
            raise claims.refusal(message)
        if message.get("event") == "stage":
            course.done(*claims.stage(message))
        elif message.get("event") == "result":
            result = message
    if result is None or payload is None:
        raise claims.garbled("it ended without one")
    return result, payload


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        return frames.parse(content)
    except frames.Garbled as error:
        raise claims.garbled(str(error)) from error


def _packed(told: dict[str, Any], onnx: bytes) -> bytes:
    parts = ((frames.JSON, json.dumps(told).encode()), (frames.BYTES, onnx))
    return b"".join(frames.HEADER.pack(kind, len(part)) + part for kind, part in parts)
