"""Text cells of a file (CSV) to the values they stand for."""

import re
from types import NoneType
from typing import Any

from berth.field import FieldType

# As R, pandas and spreadsheets write a missing number. In a column of strings only the empty
# cell is missing: "NA" may be Namibia.
_HOLES = frozenset({"", "na", "n/a", "nan", "null", "none"})
_TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0", "0.0"), False),
}
_WRITTEN = {"True": True, "False": False, "TRUE": True, "FALSE": False}
_WHOLE = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_DIGITS_ONLY = re.compile(r"[-+.0-9eE]*")
_LONGEST_NUMBER = 400  # no finite double needs more digits; int() of more is slow or refused
_EXACT = 2.0**53


def native(kind: FieldType, cells: list[Any]) -> list[Any]:
    """The cells with text read as `kind` and every sign of a missing value as None.

    A text that does not read as `kind` stays as it is, for CellRule.judge to refuse. NaN in
    a native column is missing too: that is how numpy and pandas write it.
    """
    kinds = set(map(type, cells))
    if float in kinds:
        cells = [None if cell != cell else cell for cell in cells]
    if str not in kinds:
        return cells
    if kind == "string":
        return [None if cell == "" else cell for cell in cells]
    if kind == "boolean":
        return [_truth(cell) if isinstance(cell, str) else cell for cell in cells]
    numbers = _plain_numbers(cells) if kinds <= {str, NoneType} else None
    if numbers is not None:
        return numbers
    return [_number(cell) if isinstance(cell, str) else cell for cell in cells]


def _plain_numbers(cells: list[str | None]) -> list[float | None] | None:
    """All cells at once, if they are nothing but small numbers and empty cells."""
    if not _DIGITS_ONLY.fullmatch("".join(filter(None, cells))):
        return None
    try:
        numbers = [float(cell) if cell else None for cell in cells]
    except ValueError:
        return None
    known = [number for number in numbers if number is not None]
    # Beyond, a whole number may not survive as a double, and only its digits tell.
    exact = not known or (min(known) > -_EXACT and max(known) < _EXACT)
    return numbers if exact else None


def _number(text: str) -> float | str | None:
    """A truth value as pandas writes it is one, which few fields take."""
    digits = text.strip()
    if digits.casefold() in _HOLES:
        return None
    if len(digits) > _LONGEST_NUMBER:
        return text
    if _WHOLE.fullmatch(digits):
        return int(digits)
    if digits in _WRITTEN:
        return _WRITTEN[digits]
    return float(digits) if _DECIMAL.fullmatch(digits) else text


def _truth(text: str) -> bool | str | None:
    word = text.strip().casefold()
    return None if word in _HOLES else _TRUTHS.get(word, text)
