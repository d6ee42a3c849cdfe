"""Calls per hour as a picture: bars, an axis, a mark where another version went live."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models_hub.models import ModelEvent
from predictions.figures import Hour

WIDTH, HEIGHT, TOP, LEFT, BASE = 640, 170, 18, 44, 150
_SLOT = (WIDTH - LEFT) / 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour; coordinates in the picture's own units."""

    x: float
    y: float
    height: float
    hour: Hour


@dataclass(frozen=True, slots=True)
class Mark:
    """A version that went live."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What ``models_hub/_hours.html`` draws. ``top`` is the number at the upper line."""

    bars: list[Bar]
    marks: list[Mark]
    top: int
    width: float = _SLOT * 0.7


def chart_of(hours: Sequence[Hour], events: Iterable[ModelEvent]) -> Chart | None:
    """The picture of 24 hours; None where there was no call."""
    top = max(hour.calls for hour in hours)
    if not top:
        return None
    bars = []
    for place, hour in enumerate(hours):
        height = (BASE - TOP) * hour.calls / top
        x = LEFT + place * _SLOT + _SLOT * 0.15
        bars.append(Bar(round(x, 1), round(BASE - height, 1), round(height, 1), hour))
    first = hours[0].start
    marks = [Mark(_at(event.at, first), f"version {event.version}") for event in events]
    return Chart(bars, [mark for mark in marks if mark.x >= LEFT], top)


def _at(moment: datetime, first: datetime) -> float:
    return round(LEFT + (moment - first) / timedelta(hours=1) * _SLOT, 1)
