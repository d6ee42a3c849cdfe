"""What a model takes and gives: named, typed inputs and one output.

A Signature is plain JSON outside (the API, the form, the Bundle's signature.json) and the
one place where rows become columns inside.

Missing values: in a column of numbers NaN, in a column of strings MISSING_STRING, the empty
string. ONNX has no null string, so a converted pipeline must treat "" as its missing value;
whoever compares with scikit-learn maps None and NaN in string columns to "" for the ONNX
side first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from berth import editing
from berth.coercion import Coerced, Coercion
from berth.field import MISSING_STRING, Field, FieldType, Scalar, is_kept, is_number
from berth.problems import Invalid, InvalidInput, InvalidSignature, Problem, pointer, shown

__all__ = [
    "MISSING_STRING",
    "Coerced",
    "Field",
    "FieldType",
    "Invalid",
    "InvalidInput",
    "InvalidSignature",
    "Output",
    "Problem",
    "Scalar",
    "Signature",
]

_LARGEST_INPUTS = 2_000


@dataclass(frozen=True, slots=True)
class Output:
    """What a model answers: a number (regression) or one of `labels` (classification).

    `labels` stand in the order of the probabilities' columns; None for a regression.
    """

    name: str
    kind: Literal["regression", "classification"]
    labels: tuple[Scalar, ...] | None = None
    unit: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values under the contract's keys."""
        labels = None if self.labels is None else list(self.labels)
        return {"name": self.name, "kind": self.kind, "labels": labels, "unit": self.unit}

    @classmethod
    def from_json(cls, document: object) -> "Output":
        """An Output from its JSON. Raises InvalidSignature with pointers below `/output`."""
        if not isinstance(document, Mapping):
            detail = "The output must be a JSON object with name, kind, labels and unit."
            raise InvalidSignature([Problem("/output", "wrong_type", detail)])
        if errors := list(_output_errors(document)):
            raise InvalidSignature(errors)
        labels = document.get("labels")
        return cls(
            name=document["name"],
            kind=document["kind"],
            labels=None if labels is None else tuple(labels),
            unit=document.get("unit", ""),
        )


@dataclass(frozen=True)
class Signature:
    """The inputs in the pipeline's order, and the output."""

    inputs: tuple[Field, ...]
    output: Output

    def to_json(self) -> dict[str, Any]:
        """The contract's JSON: `{"inputs": [...], "output": {...}}`."""
        return {
            "inputs": [field.to_json() for field in self.inputs],
            "output": self.output.to_json(),
        }

    @classmethod
    def from_json(cls, document: object) -> "Signature":
        """A checked Signature; raises InvalidSignature with every error found."""
        if not isinstance(document, Mapping):
            detail = "A signature must be a JSON object with inputs and output."
            raise InvalidSignature([Problem("", "wrong_type", detail)])
        errors: list[Problem] = []
        inputs = _read_inputs(document.get("inputs"), errors)
        try:
            output = Output.from_json(document.get("output"))
        except InvalidSignature as refusal:
            raise InvalidSignature(errors + refusal.errors) from refusal
        if errors:
            raise InvalidSignature(errors)
        return cls(inputs, output)

    @cached_property
    def _coercion(self) -> Coercion:
        return Coercion(self.inputs)

    def coerce(self, rows: Sequence[object]) -> Coerced:
        """Live rows (a list of JSON objects) to columns, strictly.

        Raises InvalidInput; its pointers read `/instances/{row}/{field}`.
        """
        return self._coercion.rows(rows)

    def coerce_columns(self, columns: Mapping[str, Any]) -> Coerced:
        """Live columns (name to list of values) to columns, by the same rules.

        Raises InvalidInput; its pointers read `/columns/{field}/{row}`.
        """
        return self._coercion.columns(columns)

    def coerce_lenient(
        self, columns: Mapping[str, Any], first: int = 0
    ) -> tuple[Coerced, dict[int, list[Problem]]]:
        """A file's columns (lists, numpy arrays, polars Series; cells may be text).

        Returns the good rows, in order, with `indices` saying which they were, and the
        bad rows' problems by index. `first` is the file's row number of the chunk's first
        row and only moves the pointers (`/rows/{row}/{field}`). Extra columns are ignored.
        Raises InvalidInput when a required column is missing or lengths differ.
        """
        return self._coercion.file(columns, first)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of one instance, fit for OpenAPI 3.1."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {field.name: field.json_schema() for field in self.inputs},
            "required": [field.name for field in self.inputs if field.required],
            "additionalProperties": False,
        }

    def corrected(self, changes: Sequence[Mapping[str, Any]]) -> "Signature":
        """This signature with a person's edits: `[{"name": "city", "label": "City"}, ...]`.

        What may be edited: `berth.field.EDITABLE`. Raises InvalidSignature; pointers read
        `/inputs/{position in changes}/{key}`.
        """
        return Signature(editing.corrected(self.inputs, changes), self.output)

    def inherit(self, previous: "Signature") -> "Signature":
        """This signature with what people said about an earlier version's fields.

        Carried where name and type are the same: whatever was edited or is enforced, and
        label, help, unit and default where this one has none.
        """
        unit = self.output.unit or previous.output.unit
        inputs = editing.inherited(self.inputs, previous.inputs)
        return Signature(inputs, replace(self.output, unit=unit))


def _read_inputs(document: object, errors: list[Problem]) -> tuple[Field, ...]:
    if not isinstance(document, list | tuple) or not 0 < len(document) <= _LARGEST_INPUTS:
        detail = f"inputs must be a list of 1 to {_LARGEST_INPUTS:,} fields."
        errors.append(Problem("/inputs", "wrong_type", detail))
        return ()
    read: dict[str, Field] = {}
    for i, item in enumerate(document):
        try:
            field = Field.from_json(item, pointer("inputs", i))
        except InvalidSignature as refusal:
            errors += refusal.errors
            continue
        if field.name in read:
            detail = f'There are two fields named "{field.name}". Give each its own name.'
            errors.append(Problem(pointer("inputs", i, "name"), "repeated", detail))
        read[field.name] = field
    return tuple(read.values())


def _output_errors(document: Mapping[Any, Any]) -> Iterator[Problem]:
    if not document.get("name") or not _is_text(document["name"]):
        yield Problem("/output/name", "wrong_type", "The output needs a name, a text.")
    if not _is_text(document.get("unit", "")):
        yield Problem("/output/unit", "wrong_type", "The output's unit must be a text.")
    kind, labels = document.get("kind"), document.get("labels")
    if kind not in ("regression", "classification"):
        detail = f"kind must be regression or classification, but it is {shown(kind)}."
        yield Problem("/output/kind", "wrong_type", detail)
    elif kind == "regression" and labels is not None:
        yield Problem("/output/labels", "not_applicable", "A regression has no labels: use null.")
    elif kind == "classification" and not _are_labels(labels):
        detail = "A classification needs its labels: a list of at least two different values."
        yield Problem("/output/labels", "wrong_type", detail)
    for key in document.keys() - {"name", "kind", "labels", "unit"}:
        detail = f'An output has no "{key}". Remove it.'
        yield Problem(pointer("output", str(key)), "unknown_key", detail)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and is_kept(value)


def _are_labels(labels: object) -> bool:
    if not isinstance(labels, list | tuple) or len(labels) < 2:
        return False
    return all(_is_text(v) or is_number(v) or isinstance(v, bool) for v in labels) and len(
        set(labels)
    ) == len(labels)
