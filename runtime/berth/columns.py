"""A column of values against one field: quickly when all is well, carefully where it is not.

A column first meets a few whole-column checks: its set of types, set arithmetic for choices,
lowest and highest value. Only the stretch that fails one is read cell by cell, and only that
reading (`CellRule.judge`) decides; the quick checks may doubt too much, never too little.
"""

from collections.abc import Sequence
from types import NoneType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from berth.cells import CellRule, Finding
from berth.field import MISSING_STRING, Field
from berth.problems import escaped

Values: TypeAlias = Sequence[Any]
_EXACT = 2.0**53 - 1  # no whole number beyond is rounded to one of these
_FEW = 32  # below this many cells a Python loop beats numpy's call overhead
_KINDS: dict[str, frozenset[type]] = {
    "number": frozenset({int, float}),
    "integer": frozenset({int, float}),
    "string": frozenset({str}),
    "boolean": frozenset({bool, int, float}),
}
ABSENT = object()  # a cell whose row was already refused


class Found(NamedTuple):
    """A finding and its place: the row, and the field's name as a pointer's token."""

    row: int
    token: str
    finding: Finding


class Column:
    """One field's plan: everything about it that does not depend on the values."""

    def __init__(self, about: Field) -> None:
        self.field = about
        self.rule = CellRule(about)
        self.token = escaped(about.name)
        self._text = about.type == "string"
        self._kinds = _KINDS[about.type] | ({NoneType} if about.nullable else frozenset())
        self._allowed = self._allowed_values()
        self._low = max(-_EXACT, -_EXACT if about.minimum is None else about.minimum)
        self._high = min(_EXACT, _EXACT if about.maximum is None else about.maximum)

    def _allowed_values(self) -> frozenset[Any] | None:
        known = self.rule.choices
        if self.field.type == "boolean":
            known = frozenset({0, 1}) if known is None else known
        if known is None:
            return None
        return known | {None} if self.field.nullable else known

    def quick(self, values: Values) -> NDArray[Any] | None:
        """The column [n, 1] if it is plainly good; None if it needs the careful reading."""
        kinds = set(map(type, values))
        if not kinds <= self._kinds:
            return None
        if self._allowed is not None and not self._allowed.issuperset(values):
            return None
        holes = NoneType in kinds
        return self._texts(values, holes) if self._text else self._numbers(values, kinds, holes)

    def _texts(self, values: Values, holes: bool) -> NDArray[Any] | None:
        if holes:
            values = [MISSING_STRING if value is None else value for value in values]
        try:
            text = "".join(values).encode()
        except UnicodeEncodeError:
            return None
        if b"\0" in text:
            return None
        return np.array(values, dtype=object)[:, None]

    def _numbers(self, values: Values, kinds: set[type], holes: bool) -> NDArray[Any] | None:
        try:  # fromiter is twice as fast, but only array() reads None as NaN
            array = np.array(values, np.float64) if holes else np.fromiter(values, np.float64)
        except OverflowError:  # an integer beyond any double
            return None
        known = array
        if holes:
            values = [value for value in values if value is not None]
            known = array[~np.isnan(array)]
        if len(known) < len(values) or (values and not self._is_within(values, known)):
            return None  # a NaN beside the holes, or something out of the known range
        if self.field.type == "integer" and float in kinds:
            return array[:, None] if np.array_equal(known, np.rint(known)) else None
        return array[:, None]

    def _is_within(self, values: Values, array: NDArray[np.float64]) -> bool:
        """Every value in the field's range and exact; false, too, for NaN and infinities."""
        low, high = self._low, self._high
        if len(values) < _FEW:
            return all(low <= value <= high for value in values)
        return bool(low <= array.min() and array.max() <= high)

    def careful(self, values: Values, found: list[Found]) -> NDArray[Any]:
        """The column [n, 1], each cell judged by itself; adds to what was found."""
        cells = np.empty((len(values), 1), dtype=object if self._text else np.float64)
        for start in range(0, len(values), _FEW):
            stretch = values[start : start + _FEW]
            array = self.quick(stretch)
            if array is None:
                self._judge(stretch, start, cells, found)
            else:
                cells[start : start + _FEW] = array
        return cells

    def _judge(self, values: Values, start: int, cells: NDArray[Any], found: list[Found]) -> None:
        for row, value in enumerate(values, start):
            if value is not ABSENT:
                cells[row, 0], findings = self.rule.judge(value)
                found.extend(Found(row, self.token, finding) for finding in findings)
