"""The inputs of a signature as the report's table says them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = 6
_RULES = {"choices": "other choices", "range": "what lies outside", "integer": "fractions"}


@dataclass(frozen=True, slots=True)
class Input:
    """One row of the table."""

    name: str
    label: str
    type: str
    unit: str
    expected: str
    missing: str
    refused: str


def inputs_of(signature: Mapping[str, Any] | None) -> list[Input]:
    """The rows for a sealed signature; none before there is one."""
    return [
        Input(
            name=field["name"],
            label=field["label"],
            type=field["type"],
            unit=field["unit"],
            expected=_expected(field),
            missing=_missing(field),
            refused=", ".join(_RULES[rule] for rule in field["enforced"]) or "only a wrong type",
        )
        for field in (signature or {}).get("inputs", [])
    ]


def _expected(field: Mapping[str, Any]) -> str:
    low, high = field["minimum"], field["maximum"]
    if choices := field["choices"]:
        more = f" and {len(choices) - _SHOWN} more" if len(choices) > _SHOWN else ""
        return ", ".join(_said(choice) for choice in choices[:_SHOWN]) + more
    if low is not None and high is not None:
        return f"{_said(low)} to {_said(high)}"
    if low is not None:
        return f"{_said(low)} or more"
    return f"{_said(high)} or less" if high is not None else ""


def _missing(field: Mapping[str, Any]) -> str:
    if not field["required"] and field["default"] is not None:
        return f"Yes: then {_said(field['default'])}"
    if field["nullable"]:
        return "As null" if field["required"] else "Yes"
    return "No"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
