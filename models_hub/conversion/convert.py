"""From a fitted estimator to an ONNX graph with its signature, and what the estimator said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from onnx import ModelProto

from berth.signature import MISSING_STRING, Field, Output, Signature
from models_hub.conversion import wrap
from models_hub.conversion.columns import Column, columns_of
from models_hub.conversion.feed import Feed
from models_hub.conversion.inference import fields_of, output_of, replace_fields, settle
from models_hub.conversion.loading import load
from models_hub.conversion.original import Original
from models_hub.conversion.parity import Answers, compare, predict
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.sample import Sample
from models_hub.conversion.spans import span_of
from models_hub.conversion.to_onnx import to_onnx
from models_hub.formats.refusal import Refused

Spans = dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Converted:
    """`onnx` answers `signature`. `expected` is what the original said for those of
    `parity_rows(signature, spans, sample, seed)` that `mask` keeps."""

    onnx: bytes
    signature: Signature
    spans: Spans
    expected: Answers
    mask: Any


Stage = Callable[[str, str], None]


def convert(
    estimator: Any, sample: Sample | None, target: str | None, seed: int, stage: Stage
) -> Converted:
    """A fitted scikit-learn estimator: infer its signature, convert it, ask it for its answers.

    `stage(name, detail)` is told `signature` and `converted` as they are done. Raises `Refused`.
    Whether the graph is right is judged elsewhere, on the same rows.
    """
    output = output_of(estimator, target)
    columns = columns_of(estimator, None if sample is None else sample.names)
    if not columns.used:
        raise Refused("columns_unusable", "No step of the pipeline looks at any column.")
    original = Original(estimator, Feed(columns))
    task = _Task(columns.used, output, sample, seed, original, stage)
    return task.run(lambda: to_onnx(estimator, columns))


def adopt(
    model: ModelProto, sample: Sample | None, target: str | None, seed: int, stage: Stage
) -> Converted:
    """A vetted ONNX graph: infer its signature, wrap it, ask the graph as it came for its answers.

    The same stages and refusals as `convert`.
    """
    labels = wrap.labels_of_graph(model)
    wrap.strip_zipmap(model)
    entries = wrap.entries_of(model, None if sample is None else sample.names)
    output = wrap.output_of_graph(model, labels, target)
    original = wrap.OriginalGraph(model.SerializeToString(), entries, output)
    columns = wrap.columns_of_entries(entries)
    task = _Task(columns, output, sample, seed, original, stage)
    return task.run(lambda: wrap.wrapped(model, entries, output))


class _Answering(Protocol):
    def answers(self, columns: Mapping[str, Any]) -> bool: ...
    def predict(self, columns: Mapping[str, Any]) -> tuple[Answers, Any]: ...


@dataclass(frozen=True, slots=True)
class _Task:
    columns: Sequence[Column]
    output: Output
    sample: Sample | None
    seed: int
    original: _Answering
    stage: Stage

    def run(self, build: Callable[[], ModelProto]) -> Converted:
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
    onnx: bytes, signature: Signature, spans: Spans, sample: Any, seed: int, original: _Answering
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
