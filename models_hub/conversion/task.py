"""From an upload that is open to a graph with its signature, and what the original said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from onnx import ModelProto

from berth.signature import MISSING_STRING, Field, Output, Signature
from models_hub.conversion.columns import Column
from models_hub.conversion.inference import fields_of, replace_fields, settle
from models_hub.conversion.loading import load
from models_hub.conversion.parity import Answers, compare, predict
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.sample import Sample
from models_hub.conversion.spans import span_of

Spans = dict[str, tuple[float, float]]
Stage = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Converted:
    """`onnx` answers `signature`. `expected` is what the original said for those of
    `parity_rows(signature, spans, sample, seed)` that `mask` keeps."""

    onnx: bytes
    signature: Signature
    spans: Spans
    expected: Answers
    mask: Any


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
        onnx = _retyped(build()).SerializeToString()
        self.stage("converted", f"{len(onnx)} bytes of ONNX")
        agreed = _agreed(onnx, signature, spans, rows, self.seed, self.original)
        return Converted(onnx, agreed[0], spans, *agreed[1:])


def _retyped(model: ModelProto) -> ModelProto:
    model.producer_name, model.producer_version, model.doc_string = "berth", "", ""
    return model


def _agreed(
    onnx: bytes, signature: Signature, spans: Spans, sample: Any, seed: int, original: Original
) -> tuple[Signature, Answers, Any]:
    """The signature without missing values that nobody planned for and ONNX takes differently.

    Trees answer a missing value even if training had none; a graph that sends it down another
    branch would fail a model for rows that no one means to ask. Such a field stops being nullable.
    """
    rows = parity_rows(signature, spans, sample, seed)
    expected, mask = original.predict(rows)
    unplanned = {f.name for f in signature.inputs if f.nullable and f.required}
    if not unplanned or not mask.any():
        return signature, expected, mask
    kept = {name: values[mask] for name, values in rows.items()}
    wrong = compare(expected, predict(load(onnx, signature), kept)).wrong
    holes = np.zeros(len(wrong), dtype=bool)
    for name in unplanned:
        holes |= (kept[name][:, 0] == MISSING_STRING) | (kept[name][:, 0] != kept[name][:, 0])
    if not wrong.any() or (wrong & ~holes).any():
        return signature, expected, mask
    stricter = replace_fields(signature, lambda field: _without_holes(field, unplanned))
    rows = parity_rows(stricter, spans, sample, seed)
    expected, mask = original.predict(rows)
    return stricter, expected, mask


def _without_holes(field: Field, names: set[str]) -> Field:
    return replace(field, nullable=False) if field.name in names else field
