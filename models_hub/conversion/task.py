"""From an upload that is open to a graph with its signature, and what the original said.

`Converted` is the outcome. Where `onnx` is None the pipeline has no counterpart in ONNX, or one
that answers differently: `why_native` says so (code and sentence), and everything else holds all
the same: the signature stands, and `expected` is what the pipeline answers for the rows, so that
whatever runs it natively can be held against the same answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol

import numpy as np
from onnx import ModelProto

from berth.predictions import PredictionError
from berth.predictor import Predictor
from berth.signature import MISSING_STRING, Field, Output, Signature
from models_hub.conversion.answers import Answers
from models_hub.conversion.columns import Column
from models_hub.conversion.inference import fields_of, replace_fields, settle
from models_hub.conversion.loading import load
from models_hub.conversion.parity import MIN_ROWS, compare, judge, predict
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.sample import Sample
from models_hub.conversion.spans import span_of
from models_hub.formats.refusal import Refused

Spans = dict[str, tuple[float, float]]
Stage = Callable[[str, str], None]
Build = Callable[[bool], ModelProto]
SHOWN = 6  # columns of a row that is shown
NATIVE = {"not_convertible", "parity_failed"}


@dataclass(frozen=True, slots=True)
class Converted:
    """`onnx` answers `signature`. `expected` is what the original said for those of
    `parity_rows(signature, spans, sample, seed)` that `mask` keeps.

    Just one of `onnx` and `why_native` is None. The codes of `why_native`: `not_convertible` (a
    step without a counterpart, or a graph that does not load) and `parity_failed` (a graph that
    answered differently here, with the worst rows among its figures).
    """

    onnx: bytes | None
    signature: Signature
    spans: Spans
    expected: Answers
    mask: Any
    why_native: Refused | None = None

    def graph(self) -> bytes:
        """The graph; raises `why_native` where there is none."""
        if self.onnx is None:
            raise self.why_native or AssertionError("neither a graph nor a reason")
        return self.onnx


class Original(Protocol):
    """What was uploaded, behind the columns that its ONNX graph takes."""

    def answers(self, columns: Mapping[str, Any]) -> bool:
        """Does it predict a finite value for every row?"""

    def predict(
        self, columns: Mapping[str, Any], doubts: Callable[[], Any] | None = None
    ) -> tuple[Answers, Any]:
        """Its answers, and the mask of the rows that it answers. `doubts` may be asked for a mask
        of those that it is likely to refuse."""


@dataclass(frozen=True, slots=True)
class Task:
    """What every upload goes through, whatever it is: infer, build the graph, ask the original.

    `stage(name, detail)` is told `signature` and `converted` as they are done.
    """

    columns: Sequence[Column]
    output: Output
    sample: Sample | None
    seed: int
    original: Original
    stage: Stage

    def run(self, build: Build) -> Converted:
        """`build(refusing)` makes the graph; it is called once the signature stands, and
        `refusing` where the original raises for some rows. Raises `Refused`."""
        rows = None if self.sample is None else self.sample.rows
        numeric = [c for c in self.columns if c.type in ("number", "integer")]
        spans = {column.name: span_of(column) for column in numeric}
        signature = Signature(fields_of(self.columns, rows), self.output)
        signature = settle(signature, spans, self.original.answers)
        inputs = len(signature.inputs)
        self.stage("signature", f"{inputs} inputs, {self.output.kind} of {self.output.name}")
        asking = _Asking(signature, spans, rows, self.seed, self.original, cache(build))
        agreed = asking.original_says()
        try:
            onnx = asking.graph(refusing=not agreed[1].all())
            checked = asking.checked(onnx, *agreed)
        except Refused as reason:
            if reason.code not in NATIVE:
                raise
            self.stage("converted", f"not to ONNX: {reason.detail}")
            return Converted(None, signature, spans, *agreed, reason)
        self.stage("converted", f"{len(onnx)} bytes of ONNX")
        return Converted(onnx, checked[0], spans, *checked[1:])


@dataclass(frozen=True, slots=True)
class _Asking:
    """The rows of a signature, put to the original and to the graphs that `build` makes."""

    signature: Signature
    spans: Spans
    sample: Any
    seed: int
    original: Original
    build: Build

    def rows(self) -> dict[str, Any]:
        return parity_rows(self.signature, self.spans, self.sample, self.seed)

    def original_says(self) -> tuple[Answers, Any]:
        """Its answers and the mask of the rows that it answers. Raises `Refused`
        (`parity_too_few_rows`) where these are too few for a judgement."""
        rows = self.rows()
        expected, mask = self.original.predict(rows, lambda: self._refused(rows))
        if mask.sum() < MIN_ROWS:
            raise _too_few(rows, mask, self.sample is not None)
        return expected, mask

    def graph(self, *, refusing: bool) -> bytes:
        """Raises `Refused` (`not_convertible`)."""
        return bytes(_retyped(self.build(refusing)).SerializeToString())

    def _refused(self, rows: dict[str, Any]) -> Any:
        """A mask of the rows that a graph refuses, or None without one."""
        try:
            predictor = load(self.graph(refusing=True), self.signature)
        except Refused:
            return None
        found = predict(predictor, rows)
        return np.array([cell != cell for cell in found.values.tolist()])

    def checked(self, onnx: bytes, expected: Answers, mask: Any) -> tuple[Signature, Answers, Any]:
        """The signature without missing values that nobody planned for and ONNX takes differently.

        Trees answer a missing value even if training had none; a graph that sends it down another
        branch would fail a model for rows that no one means to ask. Such a field stops being
        nullable. Raises `Refused` (`parity_failed`) where planned rows differ: the judge, who asks
        again on its own, would find the same, and the graph is not worth sending. So it does where
        the graph answers rows that the original refuses.
        """
        rows = self.rows()
        kept = {name: values[mask] for name, values in rows.items()}
        predictor = load(onnx, self.signature)
        _demand_refusals(predictor, {name: values[~mask] for name, values in rows.items()})
        parity = compare(expected, predict(predictor, kept), kept)
        if not parity.mismatches:
            return self.signature, expected, mask
        unplanned = {f.name for f in self.signature.inputs if f.nullable and f.required}
        holes = np.zeros(parity.rows, dtype=bool)
        for name in unplanned:
            holes |= (kept[name][:, 0] == MISSING_STRING) | (kept[name][:, 0] != kept[name][:, 0])
        if (parity.wrong & ~holes).any():
            judge(parity)
        stricter = replace_fields(self.signature, lambda field: _without_holes(field, unplanned))
        return stricter, *replace(self, signature=stricter).original_says()


def _too_few(rows: dict[str, Any], mask: Any, sampled: bool) -> Refused:
    first = int(np.flatnonzero(~mask)[0]) if not mask.all() else 0
    shown = {name: values[first, 0] for name, values in list(rows.items())[:SHOWN]}
    text = ", ".join(f"{name[:40]}={str(value)[:40]}" for name, value in shown.items())
    way_out = (
        "Check which values the pipeline's functions take: a logarithm takes none below zero."
        if sampled
        else "Upload a sample of real rows with it, so that its columns' ranges are known."
    )
    return Refused(
        "parity_too_few_rows",
        f"The pipeline raises an error, or answers no finite number, for {int((~mask).sum())} of "
        f"{len(mask)} rows tried, such as {text}; {MIN_ROWS} answers are needed. {way_out}",
    )


def _retyped(model: ModelProto) -> ModelProto:
    model.producer_name, model.producer_version, model.doc_string = "berth", "", ""
    return model


def _demand_refusals(predictor: Predictor, rows: dict[str, Any]) -> None:
    """Raise `Refused` (`parity_failed`) if the graph answers any of the rows."""
    count = len(next(iter(rows.values())))
    if not count:
        return
    try:
        predictor.predict(rows)
        answered = count
    except PredictionError as error:
        answered = count - len(error.rows) if error.rows else 0
    if answered:
        raise Refused(
            "parity_failed",
            f"As ONNX the model would answer {answered} rows that it refuses itself, so it is not "
            "used.",
        )


def _without_holes(field: Field, names: set[str]) -> Field:
    return replace(field, nullable=False) if field.name in names else field
