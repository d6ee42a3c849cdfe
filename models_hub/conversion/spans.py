"""Where a column's values lay in training, as far as the fitted steps still tell."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from models_hub.conversion.columns import Column
from models_hub.conversion.trace import Visit, is_catboost

Span = tuple[float, float]

UNKNOWN: Span = (0.0, 10.0)
WIDTH = 3.0  # standard deviations
HUGE = 1e38  # CatBoost's border between missing values and all others


def span_of(column: Column) -> Span:
    """(low, high) that cover what the steps show of a numeric column's training values.

    From scalers (mean and spread, or the range itself), trees (their thresholds, so that drawn
    rows reach every branch), neighbours (the training rows) and imputers. Not a claim about the
    data: it only decides which rows the parity check draws.
    """
    seen = [
        visit.lane.back(value)
        for visit in column.visits
        if visit.lane.linear
        for value in _values(visit)
        if np.isfinite(value)
    ]
    if column.span is not None:
        return column.span
    return around(seen) if seen else UNKNOWN


def around(seen: Iterable[float]) -> Span:
    """A range that holds the values, with a margin."""
    known = list(seen)
    low, high = float(min(known)), float(max(known))
    if low == high:
        return low - max(abs(low), 1.0), high + max(abs(high), 1.0)
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _values(visit: Visit) -> Iterable[float]:
    step, index = visit.step, visit.index
    kind = type(step).__name__
    if kind == "StandardScaler":
        return _around(step.mean_, step.scale_, index, WIDTH)
    if kind == "RobustScaler":
        return _around(step.center_, step.scale_, index, WIDTH)
    if kind == "MinMaxScaler":
        return (step.data_min_[index], step.data_max_[index])
    if kind == "MaxAbsScaler":
        return (-step.max_abs_[index], step.max_abs_[index])
    if kind == "SimpleImputer" and not isinstance(step.statistics_[index], str):
        return (step.statistics_[index],)
    if kind == "IsotonicRegression":
        return (step.X_min_, step.X_max_)
    if isinstance(getattr(step, "_fit_X", None), np.ndarray):
        known = step._fit_X[~np.isnan(step._fit_X[:, index]), index]
        return (known.min(), known.max()) if len(known) else ()
    if is_catboost(step):
        return [cut for cut in step.get_borders().get(index, ()) if abs(cut) < HUGE]
    return _thresholds(step, index)


def _around(center: Any, scale: Any, index: int, width: float) -> tuple[float, float]:
    middle = 0.0 if center is None else center[index]
    spread = 1.0 if scale is None else scale[index]
    return middle - width * spread, middle + width * spread


def _thresholds(step: Any, index: int) -> Iterator[float]:
    mapper = getattr(step, "_bin_mapper", None)
    if mapper is not None:
        cuts = mapper.bin_thresholds_[index]
        yield from (cuts[0], cuts[-1]) if len(cuts) else ()
        return
    for tree in _trees(step):
        cuts = tree.threshold[tree.feature == index]
        if len(cuts):
            yield cuts.min()
            yield cuts.max()


def _trees(step: Any) -> list[Any]:
    if hasattr(step, "tree_"):
        return [step.tree_]
    members = getattr(step, "estimators_", None)
    if members is None:
        return []
    return [
        tree.tree_ for tree in np.ravel(np.array(members, dtype=object)) if hasattr(tree, "tree_")
    ]
