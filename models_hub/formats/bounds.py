"""Do the numbers that compiled code follows stay within their arrays?

scikit-learn and scipy check much when a model is fitted and little when one is loaded: child and
feature numbers of trees, support vectors, the order of a k-d tree, the columns of a sparse matrix
and the knots of a spline are followed as they stand. A crafted file makes them read, or write,
beyond their memory. So this runs before the first predict, in the sandbox, on what was opened.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse
from scipy.interpolate import BSpline
from sklearn.neighbors import BallTree, KDTree

from models_hub.formats.refusal import Refused
from models_hub.formats.trees import (
    check_boosting,
    check_histograms,
    check_lightgbm,
    check_tree_model,
    check_xgboost,
)

_MAX_OBJECTS = 1_000_000
Check = Callable[[Any], None]


def check_bounds(estimator: Any) -> None:
    """Refuse (`model_damaged`) what holds numbers that point astray, at any depth."""
    for part in _parts(estimator):
        try:
            for check in _checks_of(part):
                check(part)
        except Refused:
            raise
        except Exception as error:
            name = type(part).__name__[:60]
            raise Refused("model_damaged", f"A part of the model ({name}) is damaged.") from error


def demand(sound: bool, what: str) -> None:
    """Raise `Refused` (`model_damaged`) unless `sound`."""
    if not sound:
        raise Refused("model_damaged", f"{what} in the file points outside itself.")


def _checks_of(part: Any) -> Iterator[Check]:
    """By type for what has no attributes, by attribute for estimators: of those any class may
    have been filled with another's state."""
    if scipy.sparse.issparse(part):
        yield _check_sparse
    elif isinstance(part, KDTree | BallTree):  # as `KernelDensity.tree_`, too
        yield _check_neighbours
    elif isinstance(part, BSpline):
        yield _check_spline
    elif isinstance(state := getattr(part, "__dict__", None), dict):
        yield from (check for name, check in _BY_ATTRIBUTE.items() if name in state)


def _check_sparse(matrix: Any) -> None:
    if matrix.format in ("csr", "csc", "bsr"):
        matrix.check_format(full_check=True)
    elif matrix.format == "coo":
        for indices, size in zip(matrix.coords, matrix.shape, strict=True):
            demand(len(indices) == len(matrix.data), "A sparse matrix")
            demand(bool(((indices >= 0) & (indices < size)).all()), "A sparse matrix")
    else:
        demand(False, f"A sparse matrix of the unusual form {matrix.format[:20]!r}")


def _check_neighbours(tree: Any) -> None:
    data, order, nodes, bounds = tree.__getstate__()[:4]
    levels, count = tree.__getstate__()[5:7]
    rows = len(data)
    demand(len(order) == rows and bool((np.sort(order) == np.arange(rows)).all()), "An index")
    demand(len(nodes) == count == bounds.shape[1] == 2**levels - 1, "An index")
    demand(bounds.shape[2] == data.shape[1], "An index")
    start, end = nodes["idx_start"], nodes["idx_end"]
    demand(bool(((start >= 0) & (start <= end) & (end <= rows)).all()), "An index")
    leaves = nodes["is_leaf"].astype(bool)
    demand(bool(leaves[count // 2 :].all()), "An index")


def _check_spline(spline: Any) -> None:
    knots, weights = np.asarray(spline.t), np.asarray(spline.c)
    demand(knots.ndim == 1 and type(spline.k) is int and spline.k >= 0, "A spline")
    demand(weights.shape[0] >= len(knots) - spline.k - 1 > 0, "A spline")
    demand(bool(np.isfinite(knots).all() and (np.diff(knots) >= 0).all()), "A spline")


def _check_support(machine: Any) -> None:
    counts, vectors = np.asarray(machine._n_support), machine.support_vectors_
    pairs, held = len(counts) * (len(counts) - 1) // 2, vectors.shape[0]
    demand(counts.ndim == 1 and int(counts.min()) >= 0, "A support vector machine")
    if machine.__dict__.get("classes_") is not None:
        demand(len(counts) == len(machine.classes_), "A support vector machine")
        demand(int(counts.sum()) == held, "A support vector machine")
    demand(int(counts[0]) <= held and len(machine.support_) == held, "A support vector machine")
    demand(machine._dual_coef_.shape == (len(counts) - 1, held), "A support vector machine")
    demand(machine._intercept_.size == pairs, "A support vector machine")
    demand(machine._probA.size in (0, pairs), "A support vector machine")
    demand(machine._probB.size in (0, machine._probA.size), "A support vector machine")
    if machine.kernel != "precomputed":
        demand(vectors.shape[1] == machine.n_features_in_, "A support vector machine")


def _check_rows(model: Any) -> None:
    """Neighbours' data has the columns that rows to predict have."""
    data = model._fit_X
    demand(data.ndim == 2 and data.shape[1] == model.n_features_in_, "A model of neighbours")
    rows = model.__dict__.get("n_samples_fit_", data.shape[0])
    demand(rows == data.shape[0], "A model of neighbours")
    tree = model.__dict__.get("_tree")
    demand(tree is None or tree.data.shape == data.shape, "A model of neighbours")


def _check_centers(model: Any) -> None:
    centers = model.cluster_centers_
    demand(centers.ndim == 2 and centers.shape[1] == model.n_features_in_, "A clustering")


def _check_vocabulary(model: Any) -> None:
    numbers = list(model.vocabulary_.values())
    demand(all(0 <= int(number) < len(numbers) for number in numbers), "A vocabulary")


_BY_ATTRIBUTE: dict[str, Check] = {
    "_handle": check_lightgbm,
    "handle": check_xgboost,
    "tree_": check_tree_model,
    "estimators_": check_boosting,
    "_predictors": check_histograms,
    "_n_support": _check_support,
    "_fit_X": _check_rows,
    "cluster_centers_": _check_centers,
    "vocabulary_": _check_vocabulary,
}


def _parts(root: Any) -> Iterator[Any]:
    """Every object reachable through attributes, lists, tuples, sets, dicts and object arrays."""
    waiting, seen = [root], {id(root)}
    while waiting:
        part = waiting.pop()
        yield part
        for child in _children(part):
            if id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)
        if len(seen) > _MAX_OBJECTS:
            raise Refused("model_too_large", "The file holds more than a million objects.")


def _children(part: Any) -> list[Any]:
    if isinstance(part, dict):
        found = list(part.values())
    elif isinstance(part, list | tuple | set | frozenset):
        found = list(part)
    elif isinstance(part, np.ndarray):
        found = part.ravel().tolist() if part.dtype == object else []
    else:
        found = []
    state = getattr(part, "__dict__", None)
    found += list(state.values()) if isinstance(state, dict) else []
    plain = str | bytes | int | float | bool | np.generic | type | None
    return [child for child in found if not isinstance(child, plain)]
