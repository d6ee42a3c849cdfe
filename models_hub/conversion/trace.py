"""Where each input column goes inside a fitted pipeline, as far as it stays recognisable.

scikit-learn keeps no such map. Walking the steps with the columns in hand gives, for each input,
the steps that saw it and at which place: from there come choices, statistics and ranges.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models_hub.conversion.missing import kept

SAME_COLUMNS = {
    "KNNImputer",
    "IterativeImputer",
    "OrdinalEncoder",
    "PowerTransformer",
    "QuantileTransformer",
    "KBinsDiscretizer",
    "TargetEncoder",
}
#: where a model keeps the one fitted estimator that it wraps
WRAPPED = ("best_estimator_", "regressor_", "estimator_")
STILL_LINEAR = {"KNNImputer", "IterativeImputer"}


@dataclass(frozen=True, slots=True)
class Lane:
    """A column inside the pipeline: `scale * input + offset`, or with `linear` false some
    function of that one input. `whole`: an imputer has filled what was missing."""

    name: str
    scale: float = 1.0
    offset: float = 0.0
    linear: bool = True
    whole: bool = False

    def scaled(self, scale: float, offset: float) -> "Lane":
        """This lane after a further `scale * x + offset`."""
        return replace(self, scale=self.scale * scale, offset=self.offset * scale + offset)

    def back(self, value: float) -> float:
        """The input's value for a value seen here."""
        return (value - self.offset) / self.scale if self.scale else self.offset


@dataclass(frozen=True, slots=True)
class Visit:
    """A fitted step, and the place of the column among those that the step was given."""

    step: Any
    index: int
    lane: Lane


Lanes = list[Lane | None]


def trace(estimator: Any, columns: Sequence[str]) -> dict[str, list[Visit]]:
    """For each column, the leaf steps that see it, in order. A column without any is unused."""
    tracer = _Tracer()
    tracer.walk(estimator, [Lane(name) for name in columns])
    return tracer.visits


class _Tracer:
    def __init__(self) -> None:
        self.visits: dict[str, list[Visit]] = defaultdict(list)

    def walk(self, step: Any, lanes: Lanes) -> Lanes:
        """Send the lanes through a step; returns those that come out."""
        if step is None or step == "passthrough":
            return lanes
        for wrapped in WRAPPED:
            if hasattr(step, wrapped):
                return self.walk(getattr(step, wrapped), lanes)
        if hasattr(step, "steps"):
            for _, inner in step.steps:
                lanes = self.walk(inner, lanes)
            return lanes
        if hasattr(step, "transformers_"):
            return self._split(step, lanes)
        if hasattr(step, "transformer_list"):
            return [out for _, inner in step.transformer_list for out in self._side(inner, lanes)]
        return self._leaf(step, lanes)

    def _side(self, inner: Any, lanes: Lanes) -> Lanes:
        return [] if inner == "drop" else self.walk(inner, lanes)

    def _split(self, step: Any, lanes: Lanes) -> Lanes:
        out: Lanes = []
        lanes = _as_many(step, lanes)
        for name, inner, _ in step.transformers_:
            chosen = [lanes[i] for i in step._transformer_to_input_indices[name]]
            if chosen and inner != "drop":
                if inner == "passthrough":
                    self._see(inner, chosen)
                out += self.walk(inner, chosen)
        return out

    def _see(self, step: Any, lanes: Lanes) -> None:
        for index, lane in enumerate(lanes):
            if lane is not None:
                self.visits[lane.name].append(Visit(step, index, lane))

    def _leaf(self, step: Any, lanes: Lanes) -> Lanes:
        lanes = _as_many(step, lanes)
        members = _members(step, len(lanes))
        if not members or getattr(step, "passthrough", False):
            self._see(step, lanes)
        for inner, places in members:
            self.walk(inner, [lanes[place] for place in places])
        return _after(step, lanes)


def is_catboost(step: Any) -> bool:
    """A model of CatBoost's, which forgets some of scikit-learn's attributes when it is saved."""
    return type(step).__module__.partition(".")[0] == "catboost"


def _as_many(step: Any, lanes: Lanes) -> Lanes:
    """The lanes, or as many unknown ones as the step takes if the number does not fit."""
    width = len(lanes) if is_catboost(step) else getattr(step, "n_features_in_", len(lanes))
    return lanes if len(lanes) == width else [None] * width


def _members(step: Any, width: int) -> list[tuple[Any, Sequence[int]]]:
    """The fitted estimators inside a voting, stacking, bagging or calibrated one, and the columns
    that each is given (a forest's trees are its own)."""
    encoding = getattr(step, "_preprocessor", None)
    if encoding is not None:  # of HistGradientBoosting with categories
        return [(encoding, range(width))]
    calibrated = getattr(step, "calibrated_classifiers_", None)
    if calibrated is not None:
        return [(one.estimator, range(width)) for one in calibrated]
    inner = getattr(step, "estimators_", None)
    if not isinstance(inner, list):
        return []
    if hasattr(step, "named_estimators_") or hasattr(step, "multilabel_"):
        return [(one, range(width)) for one in inner]
    if type(step).__name__.startswith("Bagging"):
        return list(zip(inner, step.estimators_features_, strict=True))
    return []


def _after(step: Any, lanes: Lanes) -> Lanes:
    kind = type(step).__name__
    if hasattr(step, "get_support"):
        return [lanes[i] for i in step.get_support(indices=True)]
    if kind == "SimpleImputer":
        extra = len(step.indicator_.features_) if step.add_indicator else 0
        return [_filled(lanes[i]) for i in kept(step)] + [None] * extra
    if kind == "FunctionTransformer":
        return lanes if step.func is None else [_bent(lane) for lane in lanes]
    if kind in SAME_COLUMNS:
        return lanes if kind in STILL_LINEAR else [_bent(lane) for lane in lanes]
    factors = _affine(step, len(lanes))
    if factors is not None:
        return [
            lane.scaled(float(a), float(b)) if lane else None
            for lane, a, b in zip(lanes, *factors, strict=True)
        ]
    return []


def _filled(lane: Lane | None) -> Lane | None:
    return replace(lane, whole=True) if lane else None


def _bent(lane: Lane | None) -> Lane | None:
    return replace(lane, linear=False) if lane else None


def _affine(step: Any, width: int) -> tuple[Any, Any] | None:
    """(scale, offset) of a scaler, per column; None for any other step."""
    kind = type(step).__name__
    ones, zeros = np.ones(width), np.zeros(width)
    if kind == "StandardScaler":
        scale = ones if step.scale_ is None else 1 / step.scale_
        mean = step.mean_ if step.with_mean and step.mean_ is not None else zeros
        return scale, -mean * scale
    if kind == "MinMaxScaler":
        return step.scale_, step.min_
    if kind == "MaxAbsScaler":
        return 1 / step.scale_, zeros
    if kind == "RobustScaler":
        scale = ones if step.scale_ is None else 1 / step.scale_
        return scale, (zeros if step.center_ is None else -step.center_ * scale)
    return None
