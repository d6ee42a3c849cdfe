"""One input of a model: its type, what is known about its values, how a form shows it."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, cast, get_args

from berth.problems import InvalidSignature, Problem, nearest, pointer, shown

FieldType: TypeAlias = Literal["number", "integer", "string", "boolean"]
Scalar: TypeAlias = str | float | int | bool
MISSING_STRING = ""  # how a missing value stands in a column of strings; NaN in the others
TYPES = get_args(FieldType)
ENFORCEABLE = frozenset({"choices", "range", "integer"})
EDITABLE = frozenset(
    {"label", "help", "unit", "choices", "minimum", "maximum", "default", "required", "enforced"}
)
_LONGEST_NAME = 200
_LONGEST_TEXT = 2_000
_MOST_CHOICES = 10_000


@dataclass(frozen=True, slots=True)
class Field:
    """One input column.

    `required`: may the key be left out? If it may, the default fills in, else null.
    `nullable`: the pipeline itself handles a missing value.
    `choices`, `minimum`, `maximum`: what the training data showed, or what a person said.
    `enforced`: which of "choices", "range", "integer" refuse a value; the others only warn.
    `edited`: which attributes a person set, so that the next version keeps them.
    """

    name: str
    type: FieldType
    required: bool = True
    nullable: bool = False
    choices: tuple[Scalar, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    default: Scalar | None = None
    label: str = ""
    help: str = ""
    unit: str = ""
    enforced: frozenset[str] = frozenset()
    edited: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values under the contract's keys, sets as sorted lists."""
        document = {slot.name: getattr(self, slot.name) for slot in fields(self)}
        choices = None if self.choices is None else list(self.choices)
        sets = {"enforced": sorted(self.enforced), "edited": sorted(self.edited)}
        return {**document, "choices": choices, **sets}

    @classmethod
    def from_json(cls, document: object, at: str = "") -> "Field":
        """A Field from its JSON; `at` is the pointer of the document within the whole.

        Raises InvalidSignature, each error pointing at the key to put right.
        """
        if not isinstance(document, Mapping):
            raise InvalidSignature([Problem(at, "wrong_type", "A field must be a JSON object.")])
        if errors := list(_shape_errors(document, at)):
            raise InvalidSignature(errors)
        values = dict(document)
        if values.get("choices") is not None:
            values["choices"] = tuple(values["choices"])
        for key in ("enforced", "edited"):
            values[key] = frozenset(values.get(key) or ())
        field = cls(**values)
        if errors := [Problem(at + pointer(key), *rest) for key, *rest in contradictions(field)]:
            raise InvalidSignature(errors)
        return field

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of one value.

        What is not enforced stands as `examples` and in the description, so that a client
        which validates against the schema never refuses what the server would take.
        """
        schema: dict[str, Any] = {"title": self.label or self.name, "type": self._schema_type()}
        if about := " ".join(self._about()):
            schema["description"] = about
        if self.choices is not None:
            null = [None] if self.nullable else []
            enforced = "choices" in self.enforced
            schema["enum" if enforced else "examples"] = [*self.choices, *(null * enforced)]
        if "range" in self.enforced:
            bounds = {"minimum": self.minimum, "maximum": self.maximum}
            schema |= {key: bound for key, bound in bounds.items() if bound is not None}
        if self.default is not None:
            schema["default"] = self.default
        return schema

    def _schema_type(self) -> str | list[str]:
        loose = self.type == "integer" and "integer" not in self.enforced
        kind = "number" if loose else self.type
        return [kind, "null"] if self.nullable else kind

    def _about(self) -> Iterator[str]:
        if self.help:
            yield self.help
        if self.unit:
            yield f"In {self.unit}."
        if self.type == "integer" and "integer" not in self.enforced:
            yield "Usually a whole number."
        if "range" not in self.enforced and self.minimum is not None and self.maximum is not None:
            yield f"Usually {self.minimum:g} to {self.maximum:g}."


def is_number(value: object) -> bool:
    """A finite int or float; a bool is not a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def fits(kind: FieldType, value: object) -> bool:
    """Does the value belong to the type? 12.0 is an integer; 0 and 1 are booleans."""
    if kind == "string":
        return isinstance(value, str) and is_kept(value)
    if kind == "boolean":
        return isinstance(value, bool | int | float) and value in (0, 1)
    return is_number(value) and (kind == "number" or cast(float, value) % 1 == 0)


def is_kept(text: str) -> bool:
    """Is it a text that JSON and every database keep: no NUL, no half a surrogate pair?"""
    return not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT and is_kept(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and is_kept(value)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_bound(value: object) -> bool:
    return value is None or is_number(value)


def _is_scalar(value: object) -> bool:
    return _is_bound(value) or _is_text(value) or _is_flag(value)


def _is_choices(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, list | tuple) and 0 < len(value) <= _MOST_CHOICES


def _is_subset(allowed: frozenset[str]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if not isinstance(value, list | tuple | set | frozenset):
            return False
        return all(isinstance(item, str) and item in allowed for item in value)

    return check


_A_TEXT = f"a text of at most {_LONGEST_TEXT:,} characters, none of them NUL"
_SHAPES: dict[str, tuple[Callable[[object], bool], str]] = {
    "name": (_is_name, "the column's name"),
    "type": (lambda v: v in TYPES, f"one of {', '.join(TYPES)}"),
    "required": (_is_flag, "true or false"),
    "nullable": (_is_flag, "true or false"),
    "choices": (_is_choices, f"null or a list of 1 to {_MOST_CHOICES:,} values"),
    "minimum": (_is_bound, "null or a finite number"),
    "maximum": (_is_bound, "null or a finite number"),
    "default": (_is_scalar, "null, a text, a finite number, true or false"),
    "label": (_is_text, _A_TEXT),
    "help": (_is_text, _A_TEXT),
    "unit": (_is_text, _A_TEXT),
    "enforced": (_is_subset(ENFORCEABLE), f"a list out of {', '.join(sorted(ENFORCEABLE))}"),
    "edited": (_is_subset(EDITABLE), f"a list out of {', '.join(sorted(EDITABLE))}"),
}


def _shape_errors(document: Mapping[Any, Any], at: str) -> Iterator[Problem]:
    """Keys that are unknown, left out, or hold the wrong kind of JSON value."""
    for key in ("name", "type"):
        if key not in document:
            yield Problem(at + pointer(key), "missing", f"Give the field's {key}.")
    for key, value in document.items():
        if key not in _SHAPES:
            near = nearest(str(key), _SHAPES)
            hint = f' Did you mean "{near[0]}"?' if near else " Remove it."
            yield Problem(at + pointer(str(key)), "unknown_key", f'A field has no "{key}".{hint}')
        elif not _SHAPES[key][0](value):
            detail = f'"{key}" must be {_SHAPES[key][1]}, but it is {shown(value)}.'
            yield Problem(at + pointer(key), "wrong_type", detail)


def contradictions(field: Field) -> Iterator[tuple[str, str, str]]:
    """What a field says against itself, as (key, code, sentence)."""
    yield from _choice_faults(field)
    yield from _range_faults(field)
    yield from _default_faults(field)
    if "integer" in field.enforced and field.type != "integer":
        detail = f'"{field.name}" is a {field.type}; only an integer can be enforced to be whole.'
        yield "enforced", "not_applicable", detail
    if not field.required and not field.nullable and field.default is None:
        detail = f'"{field.name}" may be left out only with a default or if it may be null.'
        yield "required", "no_default", f"{detail} Give a default or make it required."


def _choice_faults(field: Field) -> Iterator[tuple[str, str, str]]:
    if field.choices is None:
        if "choices" in field.enforced:
            detail = f'"{field.name}" has no choices to enforce. List them first.'
            yield "enforced", "not_applicable", detail
        return
    misfits = [choice for choice in field.choices if not fits(field.type, choice)]
    if misfits:
        detail = f'Every choice of "{field.name}" must be of type {field.type}'
        yield "choices", "wrong_type", f"{detail}, but {shown(misfits[0])} is not."
    elif len(set(field.choices)) < len(field.choices):
        yield "choices", "repeated", f'"{field.name}" names a choice twice. Name each once.'


def _range_faults(field: Field) -> Iterator[tuple[str, str, str]]:
    bounds = {"minimum": field.minimum, "maximum": field.maximum}
    given = [key for key, bound in bounds.items() if bound is not None]
    if field.type in ("string", "boolean"):
        for key in given:
            detail = f'"{field.name}" is a {field.type} and has no {key}. Remove it.'
            yield key, "not_applicable", detail
    if "range" in field.enforced and not given:
        detail = f'"{field.name}" has no range to enforce. Give a minimum or a maximum first.'
        yield "enforced", "not_applicable", detail
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        detail = f'The minimum of "{field.name}" ({field.minimum:g}) lies above its maximum'
        yield "minimum", "outside_range", f"{detail} ({field.maximum:g}). Swap them."


def _default_faults(field: Field) -> Iterator[tuple[str, str, str]]:
    value = field.default
    if value is None:
        return
    name, text = field.name, shown(value)
    whole = field.type != "integer" or "integer" in field.enforced
    if not fits(field.type if whole else "number", value):
        yield (
            "default",
            "wrong_type",
            f'The default of "{name}" must be a {field.type}, not {text}.',
        )
        return
    if "choices" in field.enforced and value not in (field.choices or ()):
        yield "default", "unknown_choice", f'The default of "{name}", {text}, is not a choice.'
    if "range" in field.enforced and not within(field, cast(float, value)):
        yield "default", "outside_range", f'The default of "{name}", {text}, lies out of its range.'


def within(field: Field, value: float) -> bool:
    """Does a number lie in the field's range? A bound that is not known bounds nothing."""
    above = field.minimum is None or value >= field.minimum
    return above and (field.maximum is None or value <= field.maximum)
