"""From an upload that is open to a graph with its signature, and what the original said.

`Converted` is the outcome. Where `onnx` is None the pipeline has no counterpart in ONNX, or one
that answers differently: `why_native` says so (code and sentence), and everything else holds all
the same: the signature stands, and `expected` is what the pipeline answers for the rows, so that
whatever runs it natively can be held against the same answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from models_hub.conversion.parity import compare, judge, predict
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.sample import Sample
from models_hub.conversion.spans import span_of
from models_hub.formats.refusal import Refused

Spans = dict[str, tuple[float, float]]
Stage = Callable[[str, str], None]
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

    def predict(self, columns: Mapping[str, Any]) -> tuple[Answers, Any]:
        """Its answers, and the mask of the rows that it answers."""


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

    def run(self, build: Callable[[], ModelProto]) -> Converted:
        """`build` makes the graph; it is called once the signature stands. Raises `Refused`."""
        rows = None if self.sample is None else self.sample.rows
        numeric = [c for c in self.columns if c.type in ("number", "integer")]
        spans = {column.name: span_of(column) for column in numeric}
        signature = Signature(fields_of(self.columns, rows), self.output)
        signature = settle(signature, spans, self.original.answers)
        inputs = len(signature.inputs)
        self.stage("signature", f"{inputs} inputs, {self.output.kind} of {self.output.name}")
        try:
            onnx = _retyped(build()).SerializeToString()
            checked = _checked(onnx, signature, spans, rows, self.seed, self.original)
        except Refused as reason:
            if reason.code not in NATIVE:
                raise
            self.stage("converted", f"not to ONNX: {reason.detail}")
            agreed = _asked(signature, spans, rows, self.seed, self.original)
            return Converted(None, signature, spans, *agreed, reason)
        self.stage("converted", f"{len(onnx)} bytes of ONNX")
        return Converted(onnx, checked[0], spans, *checked[1:])


def _retyped(model: ModelProto) -> ModelProto:
    model.producer_name, model.producer_version, model.doc_string = "berth", "", ""
    return model


def _asked(
    signature: Signature, spans: Spans, sample: Any, seed: int, original: Original
) -> tuple[Answers, Any]:
    return original.predict(parity_rows(signature, spans, sample, seed))


def _checked(
    onnx: bytes, signature: Signature, spans: Spans, sample: Any, seed: int, original: Original
) -> tuple[Signature, Answers, Any]:
    """The signature without missing values that nobody planned for and ONNX takes differently.

    Trees answer a missing value even if training had none; a graph that sends it down another
    branch would fail a model for rows that no one means to ask. Such a field stops being nullable.
    Raises `Refused` (`parity_failed`) where planned rows differ: the judge, who asks again on its
    own, would find the same, and the graph is not worth sending. So it does where the graph answers
    rows that the original refuses: a tree behind a failed step takes any NaN.
    """
    rows = parity_rows(signature, spans, sample, seed)
    expected, mask = original.predict(rows)
    kept = {name: values[mask] for name, values in rows.items()}
    if not mask.any():
        return signature, expected, mask
    predictor = load(onnx, signature)
    _demand_refusals(predictor, {name: values[~mask] for name, values in rows.items()})
    parity = compare(expected, predict(predictor, kept), kept)
    if not parity.mismatches:
        return signature, expected, mask
    unplanned = {f.name for f in signature.inputs if f.nullable and f.required}
    holes = np.zeros(parity.rows, dtype=bool)
    for name in unplanned:
        holes |= (kept[name][:, 0] == MISSING_STRING) | (kept[name][:, 0] != kept[name][:, 0])
    if (parity.wrong & ~holes).any():
        judge(parity)
    stricter = replace_fields(signature, lambda field: _without_holes(field, unplanned))
    return stricter, *_asked(stricter, spans, sample, seed, original)


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
