"""Multilayer perceptrons."""

from typing import Any

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.forests import both
from models_hub.conversion.writers.linear import scored
from models_hub.conversion.writers.registry import Scores, classifier, regressor
from models_hub.conversion.writers.table import Table

NODES = {"logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "exp": "Exp"}


def _activated(pen: Pen, name: str, value: str) -> str:
    if name == "identity":
        return value
    if name == "softmax":
        return pen.node("Softmax", value, axis=1)
    return pen.node(NODES[name], value)


def _forward(pen: Pen, model: Any, table: Table) -> str:
    value = table.matrix(pen)
    last = len(model.coefs_) - 1
    for index, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        name = model.out_activation_ if index == last else model.activation
        value = _activated(pen, name, scored(pen, value, weights.T, bias))
    return value


@regressor("MLPRegressor")
def _regressor(pen: Pen, model: Any, table: Table) -> str:
    return _forward(pen, model, table)


@classifier("MLPClassifier")
def _classifier(pen: Pen, model: Any, table: Table) -> Scores:
    value = _forward(pen, model, table)
    return Scores(both(pen, value) if model.n_outputs_ == 1 else value)
