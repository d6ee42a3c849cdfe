"""Numbers as people write them: "45.000,5" and "45,000.5" are the same number."""

import re
from collections.abc import Iterator

from berth.field import Field, within

_SPACES = re.compile(r"[\s\u00a0\u202f'’_]+")
_GROUPED = re.compile(r"[-+]?([1-9][0-9]{0,2}(,[0-9]{3})+|[0-9]*)(\.[0-9]*)?")
_SWAPPED = str.maketrans({",": ".", ".": ","})


def plain(text: str, field: Field) -> str:
    """The number without grouping and with a point: "45000.5". Other text comes back as it is.

    Where a text reads both ways ("45.000" may be forty-five or forty-five thousand), the way
    that lies in the field's range wins, then, for whole numbers, the one without decimals, then
    the way English writes it.
    """
    digits = _SPACES.sub("", _without_unit(text.strip(), field.unit)).replace("\u2212", "-")
    readings = list(_readings(digits))
    if not readings:
        return text
    return min(readings, key=lambda reading: _doubt(reading, field))


def spoken(value: float) -> str:
    """A number for people: thousands grouped, no needless decimals."""
    return f"{value:,.15g}"


def _without_unit(text: str, unit: str) -> str:
    words = {word for word in (unit, unit.split(" ")[0]) if word}
    for word in sorted((words | {"€", "$", "£", "%"}), key=len, reverse=True):
        text = text.removeprefix(word).removesuffix(word)
    return text.strip()


def _readings(digits: str) -> Iterator[str]:
    for candidate in (digits, digits.translate(_SWAPPED)):
        if _GROUPED.fullmatch(candidate) and any(letter.isdigit() for letter in candidate):
            yield candidate.replace(",", "")


def _doubt(reading: str, field: Field) -> tuple[bool, bool]:
    outside = not within(field, float(reading))
    return outside, field.type == "integer" and "." in reading
