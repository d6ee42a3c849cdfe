"""Nearest neighbours.

Where several training rows are equally far and not all of them count, scikit-learn's choice depends
on its search tree: such a model is not written, and runs natively.
"""

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.kernels import manhattan_distances, squared_distances
from models_hub.conversion.writers.registry import Scores, classifier, regressor
from models_hub.conversion.writers.table import Table

ASKED = 400  # training rows that are tried for ties
SAME = 1e-9  # relative: nearer to each other, two distances may change places by rounding


def ties(away: Any, count: int, values: Any) -> bool:
    """Would the choice of the `count` nearest depend on more than the distances `away` [n, m]?

    It would where the last one chosen and the first one left out are equally far, and those that
    are as far have not all the same of the `values` [m].
    """
    if away.shape[1] <= count:
        return False
    last = np.sort(away, axis=1)[:, count - 1][:, None]
    with np.errstate(invalid="ignore"):
        level = np.isfinite(last) & (np.abs(away - last) <= SAME * np.maximum(last, 1.0))
    beyond = (np.isfinite(away) & (away <= last) | level).sum(axis=1) > count
    low = np.where(level, values, np.inf).min(axis=1)
    return bool((beyond & (np.where(level, values, -np.inf).max(axis=1) > low)).any())


def _demand_no_ties(model: Any, metric: str) -> None:
    """Tried with training rows, as those asked for and as others like them."""
    rows = model._fit_X
    rows = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows, dtype=float)
    away = cdist(rows[:: -(-len(rows) // ASKED)], rows, metric)
    values = np.asarray(model._y, dtype=float).reshape(len(rows), -1)[:, 0]
    if any(ties(away, count, values) for count in (model.n_neighbors, model.n_neighbors + 1)):
        raise NotImplementedError("neighbours of which several lie equally far")


def _nearest(pen: Pen, model: Any, table: Table) -> tuple[str, str]:
    """Weights [n, k] of the nearest training rows, and their places [n, k]."""
    if model.effective_metric_ in ("euclidean", "minkowski") and _power(model) == 2:
        away = pen.node("Sqrt", squared_distances(pen, table, model._fit_X))
        _demand_no_ties(model, "euclidean")
    elif model.effective_metric_ in ("manhattan", "l1", "cityblock"):
        away = manhattan_distances(pen, table, model._fit_X)
        _demand_no_ties(model, "cityblock")
    else:
        raise NotImplementedError(f"neighbours by {str(model.effective_metric_)[:40]}")
    near, places = pen.name("near"), pen.name("places")
    count = pen.constant(np.array([model.n_neighbors]))
    pen.several("TopK", [away, count], [near, places], largest=0)
    if model.weights == "uniform":
        return pen.where(pen.node("Equal", near, near), 1.0, near), places
    if model.weights != "distance":
        raise NotImplementedError("neighbours weighed by a function")
    return nearness(pen, near), places


def nearness(pen: Pen, near: str) -> str:
    """Weights by distance: one over it, or where some are zero those alone, each with one."""
    touching = pen.apply("Equal", near, 0.0)
    marks = pen.double(touching)
    some = pen.apply("Greater", pen.total(marks), 0.0)
    inverse = pen.node("Reciprocal", pen.where(touching, 1.0, near))
    return pen.where(some, marks, inverse)


def _power(model: Any) -> float:
    given = model.effective_metric_params_ or {}
    return float(given.get("p", 2))


@regressor("KNeighborsRegressor")
def _regressor(pen: Pen, model: Any, table: Table) -> str:
    weights, places = _nearest(pen, model, table)
    targets = np.asarray(model._y, dtype=float)
    if targets.ndim > 1 and targets.shape[1] > 1:
        raise NotImplementedError("neighbours of several targets")
    values = pen.node("Gather", pen.number(targets.ravel()), places, axis=0)
    total = pen.total(pen.node("Mul", values, weights))
    return pen.node("Div", total, pen.total(weights))


@classifier("KNeighborsClassifier")
def _classifier(pen: Pen, model: Any, table: Table) -> Scores:
    weights, places = _nearest(pen, model, table)
    labels = pen.node("Gather", pen.number(np.ravel(model._y)), places, axis=0)
    shares = []
    for label in range(len(model.classes_)):
        mine = pen.double(pen.apply("Equal", labels, float(label)))
        shares.append(pen.total(pen.node("Mul", mine, weights)))
    votes = pen.joined(shares)
    return Scores(pen.node("Div", votes, pen.total(weights)))
