"""A form drawn from a model's signature, what was filled in, and an estimate in words."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from berth.field import Field
from berth.problems import Problem
from berth.signature import Signature

_BOOLEANS = {"Yes": True, "No": False}


@dataclass(frozen=True)
class Control:
    """One question: `choices` make it a list, else it is a line of text or a number."""

    name: str
    label: str
    help: str
    required: bool
    numeric: bool
    choices: tuple[str, ...]
    value: str
    error: str


def controls(
    signature: Signature, filled: Mapping[str, str] | None = None, errors: Mapping[str, str] = {}
) -> list[Control]:
    """The questions, with what was filled in and what is wrong with it."""
    return [
        Control(
            name=field.name,
            label=_label(field),
            help=" ".join(filter(None, (field.help, _range(field)))),
            required=field.required,
            numeric=field.type in ("number", "integer"),
            choices=tuple(_choices(field)),
            value=_first(field) if filled is None else filled.get(field.name, ""),
            error=errors.get(field.name, ""),
        )
        for field in signature.inputs
    ]


def read(signature: Signature, filled: Mapping[str, str]) -> dict[str, Any]:
    """A row of the model's; what can't be read stays as it is, for the model to refuse."""
    texts = {field: filled.get(field.name, "").strip() for field in signature.inputs}
    return {field.name: _value(field, text) for field, text in texts.items() if text}


def complaints(signature: Signature, errors: Iterable[Problem]) -> dict[str, str]:
    """What to put right, by the field's name, said to an applicant rather than a program."""
    fields = {field.name: field for field in signature.inputs}
    found = {(name := _name(error.pointer)): (fields.get(name), error) for error in errors}
    return {name: _complaint(field, error) for name, (field, error) in found.items()}


def estimate(signature: Signature, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What the site says: the estimate as a value and in words, by which version, and doubts."""
    value = answer["predictions"][0]
    text = str(value)
    if isinstance(value, float):
        text = f"{_rounded(value):,.10g} {signature.output.unit}".strip()
    elif "probabilities" in answer:
        text = f"{value} ({max(answer['probabilities'][0]):.0%})"
    fields = {field.name: field for field in signature.inputs}
    doubts = [_doubt(fields[_name(told["pointer"])]) for told in answer.get("warnings", [])]
    return {"estimate": value, "text": text, "version": answer["version"], "doubts": doubts}


def _complaint(field: Field | None, error: Problem) -> str:
    if field is None:
        return error.detail
    if error.code == "missing":
        return "Please answer this question."
    if field.choices or field.type == "boolean":
        return "Please choose one from the list."
    if field.type == "string":
        return error.detail
    return f"Please write a number{', ' if _range(field) else ''}{_range(field)}."


def _doubt(field: Field) -> str:
    if not field.choices and (limits := _range(field)):
        return f"{_label(field)}: the model has learned from {limits} alone."
    return f"{_label(field)}: the model has not met this answer before."


def _name(pointer: str) -> str:
    """Which field an error's JSON pointer (RFC 6901) names."""
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def _label(field: Field) -> str:
    name = field.label or field.name.replace("_", " ").capitalize()
    return f"{name} ({field.unit})" if field.unit else name


def _choices(field: Field) -> list[str]:
    if field.type == "boolean":
        return list(_BOOLEANS)
    return [str(choice) for choice in field.choices or ()]


def _range(field: Field) -> str:
    if field.minimum is None or field.maximum is None:
        return ""
    return f"{field.minimum:g} to {field.maximum:g}"


def _first(field: Field) -> str:
    return "" if field.default is None else str(field.default)


def _value(field: Field, text: str) -> Any:
    if field.type == "boolean":
        return _BOOLEANS.get(text, text)
    known = {str(choice): choice for choice in field.choices or ()}
    if text in known or field.type == "string":
        return known.get(text, text)
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text


def _rounded(value: float) -> float:
    """To three digits: more would promise a precision that no estimate has."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 2 - math.floor(math.log10(abs(value))))
