"""What a model answers, whatever runs it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.field import Scalar

_MOST_ROWS_NAMED = 10
_FEW = 32  # up to here Python's loop beats numpy's call overhead


class PredictionError(RuntimeError):
    """The model failed on input that fits its signature; `rows` names them where known."""

    def __init__(self, detail: str, rows: tuple[int, ...] = ()) -> None:
        super().__init__(detail)
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model answers for n rows.

    `values` [n]: float64 for a regression; for a classification int64 or, for any other
    kind of label, object. `values.tolist()` always holds plain Python values.
    `probabilities`: float64 [n, k] in the order of `labels`; None for a regression, and for a
    classifier that has none.
    """

    values: NDArray[Any]
    probabilities: NDArray[np.float64] | None = None
    labels: tuple[Scalar, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """`{"predictions": [...]}`, and `"probabilities"` of a classification."""
        answer = {"predictions": self.values.tolist()}
        if self.probabilities is None:
            return answer
        return {**answer, "probabilities": self.probabilities.tolist()}


def finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers; raises PredictionError, which names the rows, unless all are finite."""
    few = values.size <= _FEW
    if all(map(math.isfinite, values.ravel().tolist())) if few else np.isfinite(values).all():
        return values
    good = np.isfinite(values) if values.ndim == 1 else np.isfinite(values).all(axis=1)
    rows = tuple(np.flatnonzero(~good).tolist())
    named = ", ".join(map(str, rows[:_MOST_ROWS_NAMED]))
    more = f" and {len(rows) - _MOST_ROWS_NAMED} more" if len(rows) > _MOST_ROWS_NAMED else ""
    raise PredictionError(f"The model's answer is no finite number in rows {named}{more}.", rows)
