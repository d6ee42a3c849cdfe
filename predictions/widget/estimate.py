"""An answer as an applicant reads it: rounded, with its unit, and with what is unusual about it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from berth.field import Field
from berth.signature import Output, Signature
from predictions.answering import Answer
from predictions.forms import label_of
from predictions.written_numbers import spoken

_DIGITS = 3  # as many as a person can use; more would promise a precision that no model has
_MOST_LABELS = 5
_SYMBOLS = ("€", "$", "£", "¥")
_CURRENCIES = ("EUR", "USD", "GBP", "CHF", "JPY", "PLN", "SEK", "DKK", "NOK", "CAD", "AUD")


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One label and how likely the model finds it, in percent."""

    label: str
    percent: int

    @property
    def text(self) -> str:
        """Rounded to whole percents, and never to a certainty."""
        if self.percent == 0:
            return "less than 1 %"
        return "more than 99 %" if self.percent == 100 else f"{self.percent} %"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the page shows, and what the site around it hears (``event``, JSON; never the answers).

    ``likelihoods`` are there where more than two labels were to choose from.
    """

    headline: str
    value: str
    is_number: bool
    likelihood: str
    likelihoods: tuple[Likelihood, ...]
    doubts: tuple[str, ...]
    version: int
    event: str


def estimate_of(answer: Answer) -> Estimate:
    """The first row's answer. Numbers are rounded to three digits, likelihoods to percents."""
    output, content = answer.signature.output, answer.content
    first, is_number = content["predictions"][0], output.kind == "regression"
    told: dict[str, Any] = {"id": content["id"]}
    if is_number:
        number = rounded(float(first))
        value = spoken(number)
        headline = with_unit(value, output.unit)
        told |= {"text": headline, "value": number, "unit": output.unit}
    else:
        headline = value = _label(first)
        told |= {"text": headline, "label": first}
    likelihoods = _likelihoods(output, content.get("probabilities"))
    return Estimate(
        headline=headline,
        value=value.replace(",", "") if is_number else value,
        is_number=is_number,
        likelihood=next((one.text for one in likelihoods if one.label == headline), ""),
        likelihoods=likelihoods[:_MOST_LABELS] if len(likelihoods) > 2 else (),
        doubts=tuple(_doubts(answer.signature, content.get("warnings", ()))),
        version=content["version"],
        event=json.dumps(told),
    )


def rounded(value: float) -> float:
    """To three significant digits: 62,034.17 is about 62,000."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, _DIGITS - 1 - math.floor(math.log10(abs(value))))


def with_unit(number: str, unit: str) -> str:
    """The number with its unit, money's in front: “€62,000 per year”, “EUR 62,000”, “12 weeks”."""
    first, _, rest = unit.strip().partition(" ")
    symbol = next((symbol for symbol in _SYMBOLS if first.startswith(symbol)), "")
    if symbol:
        return " ".join(filter(None, (symbol + number, first.removeprefix(symbol), rest)))
    if first.upper() in _CURRENCIES:
        return " ".join(filter(None, (f"{first}\u00a0{number}", rest)))
    return f"{number}\u00a0{unit}" if unit else number


def _label(value: object) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return spoken(value) if isinstance(value, int | float) else str(value)


def _likelihoods(output: Output, rows: Sequence[Sequence[float]] | None) -> tuple[Likelihood, ...]:
    """The labels, most likely first."""
    if not rows:
        return ()
    found = [
        Likelihood(_label(label), round(100 * share))
        for label, share in zip(output.labels or (), rows[0], strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.percent))


def _doubts(signature: Signature, warnings: Sequence[Mapping[str, str]]) -> list[str]:
    """A sentence for each value outside what the model was trained on."""
    known = {field.name: field for field in signature.inputs}
    sentences = []
    for warning in warnings:
        token = warning["pointer"].rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        if field := known.get(token):
            sentences.append(doubt_of(field, warning["code"]))
    return sentences


def doubt_of(field: Field, code: str) -> str:
    """What to say of a value outside what the model was trained on; `code` as warnings have it."""
    low, high = field.minimum, field.maximum
    if code == "outside_range" and low is not None and high is not None:
        return f"{label_of(field)}: the model learned from {spoken(low)} to {spoken(high)}."
    if code == "unknown_choice":
        return f"{label_of(field)}: the model has not met this answer before."
    return f"{label_of(field)}: unlike what the model learned from."
