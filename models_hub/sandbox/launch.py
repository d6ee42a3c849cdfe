"""Inspecting an upload: one child opens, one judges, and what is known at the end."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from berth.predictions import PredictionError
from berth.signature import Signature
from models_hub.conversion.pace import median_ms
from models_hub.formats import FORMATS, Refused
from models_hub.sandbox import claims, forms, frames, native, packing
from models_hub.sandbox.forms import Form
from models_hub.sandbox.limits import Limits
from models_hub.sandbox.native import Failed, Recipe, Resident
from models_hub.sandbox.process import Child

JUDGED_SECONDS = 60.0
OPENING, JUDGING = "models_hub.sandbox.opening", "models_hub.sandbox.judging"
#: `on_stage(name, status, detail, seconds)`; status is "running", then "done". A stage that fails
#: stays running: the refusal that `inspect` raises ends it.
OnStage = Callable[[str, str, str, float], None]
_Results = Iterator[tuple[dict[str, Any], bytes]]


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
    are the contract's figures; `facts` are what the file says about itself, as texts. Without a
    counterpart in ONNX `onnx` is empty, `why_native` says why, and `recipe` how it is run.
    """

    format: str
    onnx: bytes
    signature: Signature
    parity: dict[str, Any]
    latency: dict[str, float]
    golden: dict[str, Any]
    facts: dict[str, str]
    stages: tuple[Stage, ...] = ()
    compact: bytes = b""
    """The file for the applicant's browser, empty where there is none; `browser` says why."""
    browser: dict[str, Any] = field(default_factory=dict)
    form: str = "process"
    """The sandbox's form in which the file was opened."""
    why_native: Refused | None = None
    recipe: Recipe | None = None

    @property
    def runtime(self) -> str:
        """What answers: "onnx" or "native"."""
        return "onnx" if self.recipe is None else "native"

    @property
    def report(self) -> dict[str, Any]:
        """The contract's report as far as the inspection knows it."""
        report: dict[str, Any] = {
            "runtime": self.runtime,
            "parity": self.parity,
            "latency": self.latency,
            "facts": self.facts,
            "sandbox": {"form": self.form},
        }
        if why := self.why_native:
            report["why_native"] = {"code": why.code, "detail": why.detail, **why.figures}
        if self.recipe and self.recipe.own_code:
            report["own_code"] = True
        return report


def inspect(
    path: Path,
    format: str,
    *,
    sample: Path | None = None,
    target: str | None = None,
    on_stage: OnStage | None = None,
    meanwhile: Callable[[Inspection], None] | None = None,
    limits: Limits | None = None,
    form: Form | None = None,
    trusted: bool = False,
    own_code: bool = False,
) -> Inspection:
    """Open, convert and compare the upload at `path` in child processes.

    `format` is out of `FORMATS`; `sample` a CSV or Parquet file of real rows, `target` its column
    to predict. `on_stage` is told of each of `claims.STAGES`. `form`: else the first there is.
    `meanwhile` is told what is known once the stages are over, while the browser's lane is still
    being compared. Raises `Refused` for what is wrong with the upload, `NoSandbox` when the form
    can't be had or can't hold code in such a file (`trusted`: we made it). `own_code`: it may, if
    that holds."""
    form = _checked(format, form or forms.first_available(), trusted)
    limits, course = limits or Limits(), _Course(on_stage or _nobody)
    own_code = own_code and form.holds_code
    samples = {} if sample is None else {"sample": sample}
    # The seed decides the rows that are compared; it is ours, and new each time.
    shared = {"sample": None, "target": target, "seed": secrets.randbits(32)}
    course.begin()
    with ExitStack() as children:

        def child(job: str, arguments: dict[str, Any], files: dict[str, Path]) -> Child:
            return children.enter_context(Child(job, arguments, limits, form, files))

        def opener(brings_code: bool) -> Child:
            arguments = {"format": format, "own_code": brings_code, **shared}
            return child(OPENING, arguments, {"path": path, **samples})

        first = opener(False)
        # it starts now, so that its imports are done by the time it is needed
        judge = child(JUDGING, shared, samples)
        told, graph, own_code = _opened(course, first, opener, own_code)
        claim, onnx = claims.claim(told), b""
        results: _Results = iter(())
        recipe = _recipe(format, claim, graph, own_code)
        if recipe is None:
            results = _results(course, judge, _packed(told, graph), 2)
            try:
                verdict, onnx = next(results)
            except Refused as refusal:
                told, claim = _without_graph(format, told, refusal)
                recipe = _recipe(format, claim, b"", own_code)
                judge = child(JUDGING, shared, samples)
        if recipe is not None:
            verdict = _ask_native(course, judge, told, recipe, path, form, limits)
        course.check_complete()
        found = _found(format, claim, verdict, onnx, recipe)
        found = replace(found, form=form.name, stages=tuple(course.stages))
        if meanwhile:
            meanwhile(found)
        return found if recipe else replace(found, **_lane(results))


def _checked(format: str, form: Form, trusted: bool) -> Form:
    if format not in FORMATS:
        raise Refused("format_unknown", f"There is no format {format!r}.")
    native.check(format, form, trusted=trusted)
    return form


def _opened(
    course: "_Course", first: Child, opener: Callable[[bool], Child], own_code: bool
) -> tuple[dict[str, Any], bytes, bool]:
    """What was told, the graph, and whether code of the file's own ran."""
    try:
        ((told, graph),) = _results(course, first)
    except Refused as refusal:
        if refusal.code != "own_code" or not own_code:
            raise
        # It was not run, and names what it needs. Whatever is said from here on, the file may
        # have said: that it ran code of its own is known because we let it.
        ((told, graph),) = _results(course, opener(True))
        return told, graph, True
    return told, graph, False


def _recipe(format: str, claim: claims.Claim, graph: bytes, own_code: bool) -> Recipe | None:
    """How the upload runs where it has no graph."""
    if own_code and graph:
        raise claims.garbled("there is a graph of what its own code decides")
    if (claim.why_native is None) != bool(graph) or (format == "onnx" and not graph):
        raise claims.garbled("there is neither a graph nor a reason for none, or both")
    if claim.why_native is None:
        return None
    return Recipe(format, claim.signature, claim.names, own_code)


def _found(
    format: str, claim: claims.Claim, verdict: dict[str, Any], onnx: bytes, recipe: Recipe | None
) -> Inspection:
    """What is known by the judge's verdict; raises `Refused` if it is none."""
    figures = claims.figures(verdict)
    if recipe is None and claim.native_p50_ms is not None:
        figures["latency"] = {**figures["latency"], "native_p50_ms": claim.native_p50_ms}
    why, facts = claim.why_native, claim.facts
    return Inspection(
        format, onnx, claim.signature, **figures, facts=facts, why_native=why, recipe=recipe
    )


def _lane(results: _Results) -> dict[str, Any]:
    """What the judge says of the browser at last. By then the version is known to be right:
    whatever goes wrong here closes the lane, and nothing else."""
    try:
        ((told, data),) = results
    except Refused as refusal:
        reason = f"It could not be tried there. {refusal.detail}"
        closed = {"available": False, "reason": reason, "bytes": 0, "lane": None}
        return {"browser": {**closed, "light": {"closed": reason}}}
    return {"browser": claims.browser(told), "compact": data}


def _without_graph(
    format: str, told: dict[str, Any], refusal: Refused
) -> tuple[dict[str, Any], claims.Claim]:
    """What was told, as of a model whose graph the judge refused and that now runs natively.
    Raises the refusal where the graph is all there is."""
    if format == "onnx":
        raise refusal
    why: dict[str, Any] = {"code": "not_convertible"}
    if refusal.code == "parity_failed":
        why = {"code": refusal.code, "detail": refusal.detail, "figures": refusal.figures}
    else:
        why["detail"] = f"The graph that was made of it cannot be used. {refusal.detail}"
    told = {**told, "why_native": why}
    return told, claims.claim(told)


def _ask_native(
    course: "_Course",
    judge: Child,
    told: dict[str, Any],
    recipe: Recipe,
    path: Path,
    form: Form,
    limits: Limits,
) -> dict[str, Any]:
    """Let the judge ask the very kind of process that is going to serve. Raises `Refused`."""
    runtime = replace(native.LIMITS, memory=min(limits.memory, limits.serving))
    resident = Resident(recipe, path, form, runtime)
    try:
        resident.settle()
        question = _said(judge.call(told, limits.wall), frames.BYTES)
        number, columns = packing.unpack_question(recipe.signature, question)
        found = resident.ask(columns, JUDGED_SECONDS)
        pace = median_ms(
            lambda row: resident.ask(row, JUDGED_SECONDS), columns, calls=50, seconds=1.0
        )
    except (PredictionError, Failed) as error:
        raise Refused("native_failed", f"It does not run natively either. {error}") from error
    finally:
        resident.end()
    answer = packing.pack_answer(number, recipe.signature, found.values, found.probabilities)
    verdict = _parsed(_said(judge.call(answer, limits.wall), frames.JSON))
    course.done("compared", claims.text(verdict.get("detail")))
    return {**verdict, "latency": {"p50_ms": round(pace, 4), "native_p50_ms": round(pace, 4)}}


def _said(message: tuple[bytes, bytes], wanted: bytes) -> bytes:
    """The frame's content, if it is of the wanted kind. Raises `Refused`."""
    kind, content = message
    if kind == frames.JSON and (said := _parsed(content)).get("event") == "refused":
        raise claims.refusal(said)
    if kind != wanted:
        raise claims.garbled("it answered something else")
    return content


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


def _results(course: _Course, child: Child, given: bytes = b"", count: int = 1) -> _Results:
    """Let a child do its job: so many results as they come, each with the bytes behind it, and
    then its end. Raises `Refused`."""
    result: dict[str, Any] | None = None
    for kind, content in child.messages(given):
        if kind == frames.BYTES and result is not None:
            count -= 1
            yield result, content
            result = None
            continue
        message = _parsed(_said((kind, content), frames.JSON))
        if message.get("event") == "stage":
            course.done(*claims.stage(message))
        elif message.get("event") == "result":
            result = message
    if result is not None or count:
        raise claims.garbled("it ended without one")


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        return frames.parse(content)
    except frames.Garbled as error:
        raise claims.garbled(str(error)) from error


def _packed(told: dict[str, Any], onnx: bytes) -> bytes:
    parts = ((frames.JSON, json.dumps(told).encode()), (frames.BYTES, onnx))
    return b"".join(frames.HEADER.pack(kind, len(part)) + part for kind, part in parts)
