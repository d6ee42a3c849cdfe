"""Kernels between rows and stored points, and the models that weigh them."""

from itertools import combinations
from typing import Any

import numpy as np
from onnx import TensorProto

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers import stock
from models_hub.conversion.writers.registry import Scores, classifier, decider, regressor
from models_hub.conversion.writers.table import Table

MOST_COLUMNS = 128  # one group of nodes a column
MOST_POINTS = 4_000  # a batch of a thousand rows holds some matrices of [1000, points]


def squared_distances(pen: Pen, table: Table, points: Any) -> str:
    """[n, m] double: squared Euclidean distances to m points.

    Column by column, so that near points lose no digits, as they would in x² - 2xy + y².
    """
    return _summed(pen, table, points, lambda gap: pen.node("Mul", gap, gap))


def manhattan_distances(pen: Pen, table: Table, points: Any) -> str:
    """[n, m] double: sums of absolute differences to m points."""
    return _summed(pen, table, points, lambda gap: pen.node("Abs", gap))


def _summed(pen: Pen, table: Table, points: Any, bent: Any) -> str:
    points = points.toarray() if hasattr(points, "toarray") else np.asarray(points, dtype=float)
    if table.width > MOST_COLUMNS or len(points) > MOST_POINTS:
        raise NotImplementedError(f"distances over {table.width} columns to {len(points)} points")
    total = ""
    for part, column in zip(table.columns(pen), points.T, strict=True):
        term = bent(pen.apply("Sub", part.value, column[None, :]))
        total = pen.node("Add", total, term) if total else term
    return total


def _expanded(pen: Pen, table: Table, points: Any) -> str:
    """Squared distances as x² - 2xy + y²: fewer digits than `squared_distances`, much faster."""
    if len(points) > MOST_POINTS:
        raise NotImplementedError(f"a kernel with {len(points)} points")
    value = table.matrix(pen)
    own = pen.total(pen.node("Mul", value, value))
    cross = pen.node("MatMul", value, pen.number(-2.0 * points.T))
    square = pen.apply("Add", pen.node("Add", own, cross), (points**2).sum(axis=1)[None, :])
    return pen.node("Max", square, pen.number(0.0))


def kernel(pen: Pen, name: Any, table: Table, points: Any, model: Any) -> str:
    """[n, m] double: a pairwise kernel; gamma, degree and coef0 are the model's."""
    points = points.toarray() if hasattr(points, "toarray") else np.asarray(points, dtype=float)
    gamma = getattr(model, "_gamma", None)
    gamma = getattr(model, "gamma_", gamma) if gamma is None else gamma
    gamma = getattr(model, "gamma", None) if gamma is None else gamma
    gamma = 1.0 / table.width if gamma is None else float(gamma)
    if name == "rbf":
        return _exp(pen, _expanded(pen, table, points), -gamma)
    if name == "laplacian":
        return _exp(pen, manhattan_distances(pen, table, points), -gamma)
    product = pen.node("MatMul", table.matrix(pen), pen.number(points.T))
    if name == "linear":
        return product
    offset = 1.0 if model.coef0 is None else float(model.coef0)
    moved = pen.apply("Add", pen.apply("Mul", product, gamma), offset)
    if name in ("poly", "polynomial"):
        return pen.apply("Pow", moved, float(3 if model.degree is None else model.degree))
    if name == "sigmoid":
        return pen.node("Tanh", moved)
    raise NotImplementedError(f"the kernel {str(name)[:40]}")


def _exp(pen: Pen, value: str, factor: float) -> str:
    return pen.node("Exp", pen.apply("Mul", value, factor))


def _weighed(pen: Pen, similar: str, weights: Any, intercept: Any = 0.0) -> str:
    weights = np.asarray(weights, dtype=float)
    weights = weights[:, None] if weights.ndim == 1 else weights
    product = pen.node("MatMul", similar, pen.number(weights))
    return pen.apply("Add", product, np.atleast_1d(np.asarray(intercept, dtype=float))[None, :])


@regressor("KernelRidge")
def _ridge(pen: Pen, model: Any, table: Table) -> str:
    return _weighed(pen, kernel(pen, model.kernel, table, model.X_fit_, model), model.dual_coef_)


@regressor("SVR", "NuSVR")
def _support(pen: Pen, model: Any, table: Table) -> str:
    if len(model.support_vectors_) > MOST_POINTS:
        return stock.regress(pen, model, table)
    similar = kernel(pen, model.kernel, table, model.support_vectors_, model)
    return _weighed(pen, similar, _dense(model.dual_coef_).T, model.intercept_)


def _dense(weights: Any) -> Any:
    return weights.toarray() if hasattr(weights, "toarray") else weights


def _pairs(pen: Pen, model: Any, table: Table) -> str:
    """[n, k (k - 1) / 2]: libsvm's value for each pair of classes; [n, 1] for two.

    https://www.csie.ntu.edu.tw/~cjlin/papers/libsvm.pdf, section 7
    """
    similar = kernel(pen, model.kernel, table, model.support_vectors_, model)
    dual, count = _dense(model.dual_coef_), len(model.classes_)
    if count == 2:
        return _weighed(pen, similar, dual.T, model.intercept_)
    ends = np.cumsum(model.n_support_)
    rows = [slice(end - size, end) for size, end in zip(model.n_support_, ends, strict=True)]
    weights = np.zeros((dual.shape[1], count * (count - 1) // 2))
    for pair, (one, other) in enumerate(combinations(range(count), 2)):
        weights[rows[one], pair] = dual[other - 1, rows[one]]
        weights[rows[other], pair] = dual[one, rows[other]]
    return _weighed(pen, similar, weights, model.intercept_)


def _votes(pen: Pen, model: Any, pairs: str) -> tuple[str, Any, Any]:
    """[n, k] double: how many pairs each class wins; and who is first and second in each pair."""
    count = len(model.classes_)
    both = np.array(list(combinations(range(count), 2)))
    first, second = np.eye(count)[both[:, 0]], np.eye(count)[both[:, 1]]
    wins = pen.double(pen.apply("Greater", pairs, 0.0))
    won = pen.node("MatMul", wins, pen.number(first))
    losses = pen.node("Sub", pen.number(1.0), wins)
    return pen.node("Add", won, pen.node("MatMul", losses, pen.number(second))), first, second


@decider("SVC", "NuSVC")
def _support_decision(pen: Pen, model: Any, table: Table) -> str:
    """Votes, and confidences that break ties, as sklearn.utils.multiclass has them."""
    pairs = _pairs(pen, model, table)
    if len(model.classes_) == 2:
        return pairs
    if model.decision_function_shape != "ovr":
        raise NotImplementedError("SVC with a decision for each pair of classes")
    votes, first, second = _votes(pen, model, pairs)
    sure = pen.node("MatMul", pairs, pen.number(first - second))
    scale = pen.apply("Mul", pen.apply("Add", pen.node("Abs", sure), 1.0), 3.0)
    return pen.node("Add", votes, pen.node("Div", sure, scale))


@classifier("SVC", "NuSVC")
def _support_classifier(pen: Pen, model: Any, table: Table) -> Scores:
    if len(model.support_vectors_) > MOST_POINTS or model.break_ties:
        raise NotImplementedError("SVC with very many support vectors, or that breaks ties")
    pairs = _pairs(pen, model, table)
    if len(model.classes_) == 2:
        flat = pen.node("Reshape", pairs, pen.constant(np.array([-1])))
        place = pen.cast(pen.apply("Greater", flat, 0.0), TensorProto.INT64)
    else:
        place = pen.node("ArgMax", _votes(pen, model, pairs)[0], axis=1, keepdims=0)
    sure = hasattr(model, "predict_proba")
    return Scores(stock.chances(pen, model, table) if sure else None, place)


@regressor("GaussianProcessRegressor")
def _process(pen: Pen, model: Any, table: Table) -> str:
    if not hasattr(model, "alpha_") or np.ndim(model._y_train_mean) > 1:
        raise NotImplementedError("a Gaussian process that was not fitted to one target")
    similar = _covariance(pen, model.kernel_, table, model.X_train_)
    raw = _weighed(pen, similar, model.alpha_)
    scaled = pen.apply("Mul", raw, np.ravel(model._y_train_std)[None, :])
    return pen.apply("Add", scaled, np.ravel(model._y_train_mean)[None, :])


def _covariance(pen: Pen, kernel: Any, table: Table, points: Any) -> str:
    """A kernel of scikit-learn's Gaussian processes between other rows and the training's."""
    name = type(kernel).__name__
    if name in ("Sum", "Product"):
        sides = [_covariance(pen, side, table, points) for side in (kernel.k1, kernel.k2)]
        return pen.node("Add" if name == "Sum" else "Mul", *sides)
    if name == "ConstantKernel":
        return pen.number(np.full((1, len(points)), kernel.constant_value))
    if name == "WhiteKernel":  # noise belongs to the training rows alone
        return pen.number(np.zeros((1, len(points))))
    if name == "DotProduct":
        product = pen.node("MatMul", table.matrix(pen), pen.number(points.T))
        return pen.apply("Add", product, float(kernel.sigma_0) ** 2)
    length = np.broadcast_to(np.ravel(kernel.length_scale), (table.width,))
    scaled = Table.of(pen.apply("Div", table.matrix(pen), length[None, :]), table.width)
    square = squared_distances(pen, scaled, points / length)
    if name == "RBF":
        return _exp(pen, square, -0.5)
    if name == "RationalQuadratic":
        base = pen.apply("Add", pen.apply("Div", square, 2.0 * kernel.alpha), 1.0)
        return pen.apply("Pow", base, -float(kernel.alpha))
    if name == "Matern" and kernel.nu in (0.5, 1.5, 2.5):
        return _matern(pen, pen.node("Sqrt", square), float(kernel.nu))
    raise NotImplementedError(f"the kernel {name}")


def _matern(pen: Pen, distance: str, nu: float) -> str:
    """Rasmussen and Williams, Gaussian Processes for Machine Learning, equation 4.17."""
    scaled = pen.apply("Mul", distance, np.sqrt(2.0 * nu))
    decay = _exp(pen, scaled, -1.0)
    if nu == 0.5:
        return decay
    factor = pen.apply("Add", scaled, 1.0)
    if nu == 2.5:
        third = pen.apply("Div", pen.node("Mul", scaled, scaled), 3.0)
        factor = pen.node("Add", factor, third)
    return pen.node("Mul", factor, decay)
