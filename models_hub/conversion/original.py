"""Asking the fitted estimator itself: what it predicts for rows in the Bundle's convention."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from models_hub.conversion.columns import columns_of
from models_hub.conversion.feed import Feed
from models_hub.conversion.parity import Answers
from models_hub.formats.refusal import Refused

MOST_CALLS = 600


@dataclass(frozen=True, slots=True)
class FittedOriginal:
    """The uploaded estimator behind the same columns that its ONNX graph takes."""

    estimator: Any
    feed: Feed

    def answers(self, columns: Mapping[str, Any]) -> bool:
        """Does it predict a finite value for every row?"""
        try:
            found = self.ask(columns)
        except Refused:
            raise
        except Exception:  # noqa: BLE001 - any error at all means that it takes no such value
            return False
        return bool(_finite(found).all())

    def predict(self, columns: Mapping[str, Any]) -> tuple[Answers, Any]:
        """Its answers, and a mask of the rows that it answers: others raise, or are not finite.

        A row that raises spoils the call for all, so it is found by halving; after `MOST_CALLS`
        what is still unknown counts as not answered.
        """
        rows = len(next(iter(columns.values())))
        good = self._answered(columns, rows)
        if not len(good):
            raise Refused("cannot_predict", "The pipeline raises an error on every row tried.")
        taken = {name: values[good] for name, values in columns.items()}
        found = self.ask(taken)
        finite = _finite(found)
        mask = np.zeros(rows, dtype=bool)
        mask[good[finite]] = True
        return found.take(finite), mask

    def _answered(self, columns: Mapping[str, Any], count: int) -> Any:
        """The rows that raise no error, in order."""
        waiting, good, calls = deque([np.arange(count)]), [np.arange(0)], 0
        while waiting and calls < MOST_CALLS:
            rows, calls = waiting.popleft(), calls + 1
            try:
                self.ask({name: values[rows] for name, values in columns.items()})
            except Refused:
                raise
            except Exception:  # noqa: BLE001 - a stranger's pipeline may raise anything
                if len(rows) > 1:
                    waiting.extend(np.array_split(rows, 2))
                continue
            good.append(rows)
        return np.sort(np.concatenate(good))

    def ask(self, columns: Mapping[str, Any]) -> Answers:
        """Its answers for rows, finite or not. Raises whatever the estimator raises."""
        given = self.feed(columns)
        if is_classifier(self.estimator):
            return _classified(*_last_step(self.estimator, given))
        values = np.asarray(self.estimator.predict(given), dtype=float)
        if values.ndim > 1 and values.shape[1] != 1:
            raise Refused(
                "several_targets",
                f"The model predicts {values.shape[1]} targets; one is supported: save a model for "
                "each.",
            )
        return Answers(values.reshape(-1))


def original_of(estimator: Any, names: Sequence[str] | None) -> FittedOriginal:
    """A fitted estimator, ready to be asked. `names` are its columns', where it has none itself.

    Raises `Refused` as `columns_of` does.
    """
    return FittedOriginal(estimator, Feed(columns_of(estimator, names)))


def _last_step(estimator: Any, given: Any) -> tuple[Any, Any]:
    """A pipeline's last step and what it is given: so the others run once for labels and
    probabilities."""
    if type(estimator) is not Pipeline:
        return estimator, given
    for _, step in estimator.steps[:-1]:
        if step is not None and step != "passthrough":
            given = step.transform(given)
    return estimator.steps[-1][1], given


def _classified(estimator: Any, given: Any) -> Answers:
    labels = np.asarray(estimator.predict(given))
    if labels.ndim > 1:
        raise Refused("several_targets", "The model predicts several labels at once.")
    if not hasattr(estimator, "predict_proba"):
        return Answers(labels.astype(object))
    return Answers(labels, np.asarray(estimator.predict_proba(given), dtype=float))


def _finite(found: Answers) -> Any:
    if found.probabilities is not None:
        return np.isfinite(found.probabilities).all(axis=1)
    if found.values.dtype == object:  # labels alone
        return np.ones(len(found.values), dtype=bool)
    return np.isfinite(found.values)
