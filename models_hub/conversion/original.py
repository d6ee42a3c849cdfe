"""Asking the fitted estimator itself: what it predicts for rows in the Bundle's convention."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from models_hub.conversion.feed import Feed
from models_hub.conversion.parity import Answers


@dataclass(frozen=True, slots=True)
class FittedOriginal:
    """The uploaded estimator behind the same columns that its ONNX graph takes."""

    estimator: Any
    feed: Feed

    def answers(self, columns: Mapping[str, Any]) -> bool:
        """Does it predict a finite value for every row?"""
        try:
            found = self._predict(columns)
        except Exception:  # noqa: BLE001 - any error at all means that it takes no such value
            return False
        return bool(_finite(found).all())

    def predict(self, columns: Mapping[str, Any]) -> tuple[Answers, Any]:
        """Its answers, and a mask of the rows that it answers: others raise, or are not finite."""
        rows = len(next(iter(columns.values())))
        good = self._answered(columns, np.arange(rows))
        taken = {name: values[good] for name, values in columns.items()}
        found = self._predict(taken)
        finite = _finite(found)
        mask = np.zeros(rows, dtype=bool)
        mask[good[finite]] = True
        return found.take(finite), mask

    def _answered(self, columns: Mapping[str, Any], rows: Any) -> Any:
        """The rows that raise no error, found by halving."""
        if not len(rows):
            return rows
        try:
            self._predict({name: values[rows] for name, values in columns.items()})
        except Exception:  # noqa: BLE001 - a stranger's pipeline may raise anything
            if len(rows) == 1:
                return rows[:0]
            half = len(rows) // 2
            parts = (rows[:half], rows[half:])
            return np.concatenate([self._answered(columns, part) for part in parts])
        return rows

    def _predict(self, columns: Mapping[str, Any]) -> Answers:
        given = self.feed(columns)
        if is_classifier(self.estimator):
            probabilities = np.asarray(self.estimator.predict_proba(given), dtype=float)
            return Answers(np.asarray(self.estimator.predict(given)), probabilities)
        return Answers(np.asarray(self.estimator.predict(given), dtype=float).reshape(-1))


def _finite(found: Answers) -> Any:
    if found.probabilities is not None:
        return np.isfinite(found.probabilities).all(axis=1)
    return np.isfinite(found.values)
