"""One cell against one field: the careful path, whose verdict the quick path must equal."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from berth.field import MISSING_STRING, Field, within
from berth.problems import shown

_EXAMPLES = {"number": "12.5", "integer": "12", "string": '"a text"', "boolean": "true"}
_NAMED = {
    "number": "a number",
    "integer": "a whole number",
    "string": "a text",
    "boolean": "true or false",
}
_MOST_CHOICES_SHOWN = 8


class Finding(NamedTuple):
    """What a cell's examination found; `fatal` refuses the row, otherwise it only warns."""

    code: str
    detail: str
    fatal: bool


class CellRule:
    """A field's rules for single values."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.choices = None if field.choices is None else frozenset(field.choices)
        self.hole: float | str = MISSING_STRING if field.type == "string" else math.nan
        # where nothing is known of a number, training may as well have had true and false
        known = (field.choices, field.minimum, field.maximum)
        self._takes_truth = field.type == "number" and known == (None, None, None)

    def judge(self, value: object) -> tuple[float | str, list[Finding]]:
        """The cell as it stands in a column, and what there is to say about it.

        The cell of a refused value is the missing marker: its row is dropped anyway.
        """
        value = _native(value)
        if value is None:
            return self.hole, [] if self.field.nullable else [self._null()]
        refusal = self._text_fault(value) if self.field.type == "string" else self._fault(value)
        if refusal:
            return self.hole, [refusal]
        cell = value if isinstance(value, str) else float(value)  # type: ignore[arg-type]  # no fault: a number
        return cell, list(self._doubts(cell, value))

    def absent(self) -> Finding:
        """A required key was left out."""
        return self._fatal("missing", f"is missing. Add it: {self._wanted()}.")

    def _null(self) -> Finding:
        return self._fatal("null", f"is empty (null), and the model needs it: {self._wanted()}.")

    def _text_fault(self, value: object) -> Finding | None:
        if not isinstance(value, str):
            return self._wrong_type(value)
        try:
            value.encode()
        except UnicodeEncodeError:
            return self._fatal("not_text", "holds half a surrogate pair. Send valid Unicode.")
        if "\0" in value:
            return self._fatal("not_text", "holds a NUL character, which no database keeps.")
        return None

    def _fault(self, value: object) -> Finding | None:
        """Why a value cannot be a number (or a truth value) at all."""
        if not isinstance(value, int | float):
            return self._wrong_type(value)
        logical = self.field.type == "boolean"
        truth = isinstance(value, bool) and not self._takes_truth
        if value not in (0, 1) if logical else truth:
            return self._wrong_type(value)
        if isinstance(value, float):
            if math.isfinite(value):
                return None
            return self._fatal("not_finite", f"is {value}, which is no number. Send a finite one.")
        if _is_exact(value):
            return None
        return self._fatal(
            "inexact",
            f"is {shown(value)}, a whole number that a double cannot hold exactly."
            " Send a number with at most 15 digits, or a decimal one.",
        )

    def _doubts(self, cell: float | str, value: object) -> Iterator[Finding]:
        """What lies outside the known; fatal where a person said that it must not."""
        field = self.field
        if self.choices is not None and cell not in self.choices:
            detail = f"is {shown(value)}, which is none of {self._listed()}."
            yield self._finding("unknown_choice", detail, "choices")
        if isinstance(cell, str):
            return
        if not within(field, cell):
            detail = f"is {shown(value)}, outside {_spoken_range(field)}."
            yield self._finding("outside_range", detail, "range")
        if field.type == "integer" and cell % 1:
            yield self._finding("not_whole", f"is {shown(value)}, not a whole number.", "integer")

    def _listed(self) -> str:
        choices = self.field.choices or ()
        rest = len(choices) - _MOST_CHOICES_SHOWN
        listed = ", ".join(shown(choice) for choice in choices[:_MOST_CHOICES_SHOWN])
        return f"{listed} and {rest} more" if rest > 0 else listed

    def _wanted(self) -> str:
        return f"{_NAMED[self.field.type]} such as {_EXAMPLES[self.field.type]}"

    def _wrong_type(self, value: object) -> Finding:
        detail = f"must be {_NAMED[self.field.type]}, but it is {shown(value)}."
        return self._fatal("wrong_type", f"{detail} Send one such as {_EXAMPLES[self.field.type]}.")

    def _fatal(self, code: str, detail: str) -> Finding:
        return Finding(code, f'"{self.field.name}" {detail}', fatal=True)

    def _finding(self, code: str, detail: str, rule: str) -> Finding:
        fatal = rule in self.field.enforced
        advice = "" if fatal else " The model was not trained on such values."
        return Finding(code, f'"{self.field.name}" {detail}{advice}', fatal)


def _native(value: object) -> object:
    """The Python value inside numpy's scalars and decimals."""
    if isinstance(value, np.generic):
        return value.item()
    return float(value) if isinstance(value, Decimal) else value


def _is_exact(value: int) -> bool:
    try:
        return float(value) == value
    except OverflowError:
        return False


def _spoken_range(field: Field) -> str:
    if field.minimum is None:
        return f"the range up to {field.maximum:g}"
    if field.maximum is None:
        return f"the range from {field.minimum:g}"
    return f"the range {field.minimum:g} to {field.maximum:g}"
