"""Asking the fitted estimator itself: what it predicts for rows in the Bundle's convention."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from models_hub.conversion.answers import Answers
from models_hub.conversion.columns import columns_of
from models_hub.conversion.feed import Feed
from models_hub.formats.refusal import Refused

MOST_CALLS, MOST_SECONDS = 4_000, 20.0
MOST_DOUBTS = 100


@dataclass(frozen=True, slots=True)
class FittedOriginal:
    """The uploaded estimator behind the same columns that its ONNX graph takes.

    `brief` has it asked once where it would find the same neighbours twice. Whoever judges asks
    the long way, so that the short one is held against it too.
    """

    estimator: Any
    feed: Feed
    brief: bool = False

    def answers(self, columns: Mapping[str, Any]) -> bool:
        """Does it predict a finite value for every row?"""
        found = self._asked(columns)
        return found is not None and bool(_finite(found).all())

    def predict(
        self, columns: Mapping[str, Any], doubts: Callable[[], Any] | None = None
    ) -> tuple[Answers, Any]:
        """Its answers, and a mask of the rows that it answers: others raise, or are not finite.

        A row that raises spoils the call for all, so it is found by halving; after `MOST_CALLS` or
        `MOST_SECONDS` what is still unknown counts as not answered. `doubts` is asked for a mask of
        the rows that are likely to raise, which spares most calls: `MOST_DOUBTS` of them are tried.
        """
        rows = len(next(iter(columns.values())))
        good, found = self._answered(columns, rows, doubts)
        if found is None:
            raise Refused("cannot_predict", "The pipeline raises an error on every row tried.")
        finite = _finite(found)
        mask = np.zeros(rows, dtype=bool)
        mask[good[finite]] = True
        return found.take(finite), mask

    def _answered(
        self, columns: Mapping[str, Any], count: int, doubts: Any
    ) -> tuple[Any, Answers | None]:
        """The rows that raise no error, in order, and what it answers for them all at once."""
        waiting, good, calls = deque([np.arange(count)]), [np.arange(0)], 0
        end = time.monotonic() + MOST_SECONDS
        while waiting and calls < MOST_CALLS and time.monotonic() < end:
            rows, calls = waiting.popleft(), calls + 1
            found = self._asked({name: values[rows] for name, values in columns.items()})
            if found is not None:
                if len(rows) == count:  # the common case
                    return rows, found
                good.append(rows)
                continue
            doubted = doubts() if doubts is not None and calls == 1 else None
            if doubted is not None and doubted.any():
                singles = np.flatnonzero(doubted)[:: -(-int(doubted.sum()) // MOST_DOUBTS)]
                waiting.extend([np.flatnonzero(~doubted), *singles[:, None]])
            elif len(rows) > 1:
                waiting.extend(np.array_split(rows, 2))
        kept = np.sort(np.concatenate(good))
        taken = {name: values[kept] for name, values in columns.items()}
        return kept, self.ask(taken) if len(kept) else None

    def _asked(self, columns: Mapping[str, Any]) -> Answers | None:
        """Its answers, or None if it raises."""
        try:
            return self.ask(columns)
        except Refused:
            raise
        except Exception:  # noqa: BLE001 - a stranger's pipeline may raise anything
            return None

    def ask(self, columns: Mapping[str, Any]) -> Answers:
        """Its answers for rows, finite or not. Raises whatever the estimator raises."""
        given = self.feed(columns)
        if is_classifier(self.estimator):
            return _classified(*_last_step(self.estimator, given), brief=self.brief)
        values = np.asarray(self.estimator.predict(given), dtype=float)
        if values.ndim > 1 and values.shape[1] != 1:
            raise Refused(
                "several_targets",
                f"The model predicts {values.shape[1]} targets; one is supported: save a model for "
                "each.",
            )
        return Answers(values.reshape(-1))


def original_of(
    estimator: Any, names: Sequence[str] | None, *, brief: bool = False
) -> FittedOriginal:
    """A fitted estimator, ready to be asked. `names` are its columns', where it has none itself.

    Raises `Refused` as `columns_of` does.
    """
    return FittedOriginal(estimator, Feed(columns_of(estimator, names)), brief)


def _last_step(estimator: Any, given: Any) -> tuple[Any, Any]:
    """A pipeline's last step and what it is given: so the others run once for labels and
    probabilities."""
    if type(estimator) is not Pipeline:
        return estimator, given
    for _, step in estimator.steps[:-1]:
        if step is not None and step != "passthrough":
            given = step.transform(given)
    return estimator.steps[-1][1], given


def _classified(estimator: Any, given: Any, *, brief: bool) -> Answers:
    if brief and _names_the_likeliest(estimator):
        chances = np.asarray(estimator.predict_proba(given), dtype=float)
        return Answers(estimator.classes_[chances.argmax(axis=1)], chances)
    labels = np.asarray(estimator.predict(given))
    if labels.ndim == 2 and labels.shape[1] == 1:  # CatBoost's of more than two
        labels = labels[:, 0]
    if labels.ndim > 1:
        raise Refused("several_targets", "The model predicts several labels at once.")
    if not hasattr(estimator, "predict_proba"):
        return Answers(labels.astype(object))
    return Answers(labels, np.asarray(estimator.predict_proba(given), dtype=float))


def _names_the_likeliest(estimator: Any) -> bool:
    """Whether its label is by construction the first of its likeliest classes: each neighbour has
    one vote, and of a tie both `predict` and `argmax` take the first."""
    if type(estimator) is not KNeighborsClassifier or estimator.outputs_2d_:
        return False
    return bool(estimator.weights == "uniform")


def _finite(found: Answers) -> Any:
    if found.probabilities is not None:
        return np.isfinite(found.probabilities).all(axis=1)
    if found.values.dtype == object:  # labels alone
        return np.ones(len(found.values), dtype=bool)
    return np.isfinite(found.values)
