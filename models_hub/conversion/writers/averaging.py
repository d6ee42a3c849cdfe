"""Models made of several fitted ones: voting, bagging, AdaBoost, one against the rest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.encoding import looked_up
from models_hub.conversion.writers.forests import both
from models_hub.conversion.writers.registry import (
    Scores,
    chances,
    classifier,
    classify,
    decisions,
    place_of,
    regress,
    regressor,
    writes_decisions,
)
from models_hub.conversion.writers.table import Table


def _mean(pen: Pen, values: Sequence[str], weights: Any = None) -> str:
    """The (weighted) mean of values of one shape."""
    shares = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    total = ""
    for value, share in zip(values, shares / shares.sum(), strict=True):
        term = pen.apply("Mul", value, share)
        total = pen.node("Add", total, term) if total else term
    return total


def _marks(pen: Pen, model: Any, table: Table, count: int) -> str:
    """[n, k] double: 1 at the class that a classifier chooses."""
    pen.exact = True
    return looked_up(pen, place_of(pen, classify(pen, model, table)), np.eye(count))


@regressor("VotingRegressor")
def _voting(pen: Pen, model: Any, table: Table) -> str:
    pen.exact = True
    values = [regress(pen, member, table) for member in model.estimators_]
    return _mean(pen, values, model._weights_not_none)


@classifier("VotingClassifier")
def _voting_classifier(pen: Pen, model: Any, table: Table) -> Scores:
    weights = model._weights_not_none
    if model.voting == "soft":
        shares = [chances(pen, member, table) for member in model.estimators_]
        return Scores(_mean(pen, shares, weights))
    count = len(model.classes_)
    marks = [_marks(pen, member, table, count) for member in model.estimators_]
    return Scores(None, pen.node("ArgMax", _mean(pen, marks, weights), axis=1, keepdims=0))


@regressor("BaggingRegressor")
def _bagging(pen: Pen, model: Any, table: Table) -> str:
    pen.exact = True
    pairs = zip(model.estimators_, model.estimators_features_, strict=True)
    return _mean(pen, [regress(pen, one, table.take(pen, list(some))) for one, some in pairs])


@classifier("BaggingClassifier")
def _bagging_classifier(pen: Pen, model: Any, table: Table) -> Scores:
    count, values = len(model.classes_), []
    for member, features in zip(model.estimators_, model.estimators_features_, strict=True):
        if len(member.classes_) != count:
            raise NotImplementedError("bagging whose members know different classes")
        given = table.take(pen, list(features))
        sure = hasattr(member, "predict_proba")
        values.append(chances(pen, member, given) if sure else _marks(pen, member, given, count))
    return Scores(_mean(pen, values))


@regressor("AdaBoostRegressor")
def _adaptive(pen: Pen, model: Any, table: Table) -> str:
    """The weighted median of the members: https://doi.org/10.1006/jcss.1997.1504, section 5."""
    pen.exact = True
    count = len(model.estimators_)
    weights = model.estimator_weights_[:count]
    values = pen.joined([regress(pen, member, table) for member in model.estimators_])
    ordered, order = _sorted(pen, values, count)
    shares = pen.node("Gather", pen.number(weights), order, axis=0)
    below = pen.node("CumSum", shares, pen.constant(np.array(1)))
    half = pen.apply("GreaterOrEqual", below, 0.5 * float(np.cumsum(weights)[-1]))
    median = pen.node("ArgMax", pen.double(half), axis=1, keepdims=1)
    return pen.node("GatherElements", ordered, median, axis=1)


def _sorted(pen: Pen, values: str, count: int) -> tuple[str, str]:
    """Each row in ascending order, and which place each value had."""
    ordered, order = pen.name("sorted"), pen.name("order")
    most = pen.constant(np.array([count]))
    pen.several("TopK", [values, most], [ordered, order], largest=0)
    return ordered, order


@classifier("AdaBoostClassifier")
def _adaptive_classifier(pen: Pen, model: Any, table: Table) -> Scores:
    """SAMME: https://doi.org/10.4310/SII.2009.v2.n3.a8."""
    count = len(model.classes_)
    weights = model.estimator_weights_[: len(model.estimators_)]
    votes = np.where(np.eye(count, dtype=bool), 1.0, -1.0 / (count - 1))
    marks = [
        looked_up(pen, place_of(pen, classify(pen, member, table)), votes)
        for member in model.estimators_
    ]
    # the stored weights' sum divides, also where boosting ended early
    total = pen.apply(
        "Mul", _mean(pen, marks, weights), weights.sum() / model.estimator_weights_.sum()
    )
    return Scores(pen.node("Softmax", pen.apply("Div", total, count - 1.0), axis=1))


@classifier("OneVsRestClassifier")
def _one_vs_rest(pen: Pen, model: Any, table: Table) -> Scores:
    if model.multilabel_:
        raise NotImplementedError("a classifier of several labels at once")
    if not hasattr(model, "predict_proba"):
        return Scores(None, _boldest(pen, model, table))
    shares = [pen.gather(chances(pen, member, table), [1]) for member in model.estimators_]
    if len(shares) == 1:
        return Scores(both(pen, shares[0]))
    each = pen.joined(shares)
    total = pen.total(each)
    evened = pen.node("Div", each, pen.where(pen.apply("Equal", total, 0.0), 1.0, total))
    decided = all(map(writes_decisions, model.estimators_))
    return Scores(evened, _boldest(pen, model, table) if decided else None)


def _boldest(pen: Pen, model: Any, table: Table) -> str:
    """[n] int64: the place of the class whose member is surest, of several the last."""
    votes = pen.joined([decisions(pen, member, table) for member in model.estimators_])
    if len(model.estimators_) == 1:
        sure = pen.node("Cast", pen.apply("Greater", votes, 0.0), to=TensorProto.INT64)
        return pen.node("Reshape", sure, pen.constant(np.array([-1])))
    return pen.node("ArgMax", votes, axis=1, keepdims=0, select_last_index=1)


@classifier("DummyClassifier")
def _dummy(pen: Pen, model: Any, table: Table) -> Scores:
    if model.strategy not in ("prior", "most_frequent", "constant"):
        raise NotImplementedError(f"DummyClassifier(strategy={model.strategy!r})")
    shares = np.asarray(model.class_prior_, dtype=float)
    place = int(np.argmax(shares))
    if model.strategy == "constant":
        place = int(np.flatnonzero(model.classes_ == np.ravel(model.constant)[0])[0])
    if model.strategy != "prior":
        shares = np.eye(len(shares))[place]
    return Scores(constant(pen, table, shares))


@regressor("DummyRegressor")
def _dummy_regressor(pen: Pen, model: Any, table: Table) -> str:
    return constant(pen, table, np.ravel(model.constant_)[:1])


def constant(pen: Pen, table: Table, row: Any) -> str:
    """[n, k] double: the same row for every row of the table."""
    first = table.columns(pen)[0].value
    return pen.where(pen.node("Equal", first, first), pen.number([row]), pen.number([row]))
