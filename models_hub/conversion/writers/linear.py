"""Models that are linear, up to a link: the most common ones."""

from typing import Any

import numpy as np
from onnx import TensorProto

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.forests import both
from models_hub.conversion.writers.registry import (
    Scores,
    classifier,
    decider,
    regress,
    regressor,
)
from models_hub.conversion.writers.table import Table


def scored(pen: Pen, value: str, coefficients: Any, intercept: Any) -> str:
    """[n, k] double: value @ coefficients.T + intercept."""
    weights = np.atleast_2d(np.asarray(coefficients, dtype=float))
    product = pen.node("MatMul", value, pen.number(weights.T))
    return pen.apply("Add", product, np.atleast_1d(np.asarray(intercept, dtype=float))[None, :])


@regressor(
    "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV",
    "Lars", "LarsCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV", "BayesianRidge", "ARDRegression", "HuberRegressor",
    "TheilSenRegressor", "QuantileRegressor", "SGDRegressor", "PassiveAggressiveRegressor",
    "LinearSVR",
)  # fmt: skip
def _linear(pen: Pen, model: Any, table: Table) -> str:
    return scored(pen, table.matrix(pen), model.coef_, model.intercept_)


@regressor("PoissonRegressor", "GammaRegressor", "TweedieRegressor")
def _generalised(pen: Pen, model: Any, table: Table) -> str:
    raw = scored(pen, table.matrix(pen), model.coef_, model.intercept_)
    link = type(model._base_loss.link).__name__
    if link not in ("LogLink", "IdentityLink"):
        raise NotImplementedError(f"a loss with {link}")
    return pen.node("Exp", raw) if link == "LogLink" else raw


@regressor("RANSACRegressor")
def _ransac(pen: Pen, model: Any, table: Table) -> str:
    return regress(pen, model.estimator_, table)


@regressor("PLSRegression")
def _partial(pen: Pen, model: Any, table: Table) -> str:
    centred = pen.apply("Sub", table.matrix(pen), model._x_mean[None, :])
    return scored(pen, centred, model.coef_, model.intercept_)


@decider(
    "LogisticRegression", "LogisticRegressionCV", "LinearSVC", "RidgeClassifier",
    "RidgeClassifierCV", "SGDClassifier", "Perceptron", "PassiveAggressiveClassifier",
    "LinearDiscriminantAnalysis",
)  # fmt: skip
def _decided(pen: Pen, model: Any, table: Table) -> str:
    return scored(pen, table.matrix(pen), model.coef_, model.intercept_)


@classifier(
    "LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "Perceptron", "PassiveAggressiveClassifier"
)
def _unsure(pen: Pen, model: Any, table: Table) -> Scores:
    raw = _decided(pen, model, table)
    return Scores(None, by_sign(pen, raw, one_column=len(np.atleast_2d(model.coef_)) == 1))


@classifier("LogisticRegression", "LogisticRegressionCV")
def _logistic(pen: Pen, model: Any, table: Table) -> Scores:
    raw = scored(pen, table.matrix(pen), model.coef_, model.intercept_)
    if len(model.coef_) > 1:
        if getattr(model, "solver", "") == "liblinear":
            return Scores(one_vs_rest(pen, pen.node("Sigmoid", raw)))
        return Scores(pen.node("Softmax", raw, axis=1))
    return Scores(both(pen, pen.node("Sigmoid", raw)))


def one_vs_rest(pen: Pen, shares: str) -> str:
    """[n, k]: each class's own probability, scaled so that a row sums to 1."""
    return pen.node("Div", shares, pen.total(shares))


@classifier("LinearDiscriminantAnalysis")
def _discriminant(pen: Pen, model: Any, table: Table) -> Scores:
    raw = scored(pen, table.matrix(pen), model.coef_, model.intercept_)
    if len(model.classes_) == 2:
        return Scores(both(pen, pen.node("Sigmoid", raw)))
    return Scores(pen.node("Softmax", raw, axis=1))


def by_sign(pen: Pen, raw: str, *, one_column: bool) -> str:
    """[n] int64: the class that decision values [n, 1] (two classes) or [n, k] choose."""
    if one_column:
        flat = pen.node("Reshape", raw, pen.constant(np.array([-1])))
        return pen.cast(pen.apply("Greater", flat, 0.0), TensorProto.INT64)
    return pen.node("ArgMax", raw, axis=1, keepdims=0)


@classifier("SGDClassifier")
def _descent(pen: Pen, model: Any, table: Table) -> Scores:
    raw, one = _decided(pen, model, table), len(model.coef_) == 1
    place = by_sign(pen, raw, one_column=one)
    if model.loss == "log_loss":
        shares = pen.node("Sigmoid", raw)
    elif model.loss == "modified_huber":
        bounded = pen.node("Min", pen.node("Max", raw, pen.number(-1.0)), pen.number(1.0))
        shares = pen.apply("Div", pen.apply("Add", bounded, 1.0), 2.0)
    else:
        return Scores(None, place)
    if one:
        return Scores(both(pen, shares), place)
    if model.loss == "modified_huber":
        shares = pen.where(pen.apply("Equal", pen.total(shares), 0.0), 1.0, shares)
    return Scores(one_vs_rest(pen, shares), place)
