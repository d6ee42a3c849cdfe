"""Converters of ours for trees, forests and boosting: exact where skl2onnx's are not.

scikit-learn's classic trees compare float32 features with double thresholds, HistGradientBoosting
compares doubles; both add up doubles. So thresholds and leaves are double tensors here, and the
features of classic trees are cast to float and back. Only the ensemble's sum is rounded to float,
by onnxruntime. What turns the sum into an answer happens in double behind it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType
from sklearn import ensemble, tree

from models_hub.conversion.emitter import ML, Emitter
from models_hub.conversion.forest import TreeArrays, attributes, classic, histogram

SIGMOID = {"HalfBinomialLoss": 1.0, "ExponentialLoss": 2.0}


def _ensemble(emit: Emitter, trees: list[TreeArrays], start: Any, *, single: bool) -> str:
    """[n, k] double: `start` [k] plus the sum of the trees over the operator's columns."""
    value = emit.joined(emit.inputs)
    if single:
        value = emit.cast(emit.cast(value, TensorProto.FLOAT), TensorProto.DOUBLE)
    plain, doubles = attributes(trees)
    doubles["base_values_as_tensor"] = np.asarray(start, dtype=float)
    tensors = {name: numpy_helper.from_array(array, name) for name, array in doubles.items()}
    total = emit.node(
        "TreeEnsembleRegressor", value, domain=ML, op_version=3, n_targets=len(start),
        aggregate_function="SUM", post_transform="NONE", **plain, **tensors,
    )  # fmt: skip
    return emit.cast(total, TensorProto.DOUBLE)


def _combined(emit: Emitter, kind: str, value: str, constant: Any) -> str:
    return emit.node(kind, value, emit.constant(np.asarray(constant, dtype=float)))


def _members(model: Any) -> list[Any]:
    """The fitted trees of a forest, or the single tree itself."""
    return list(model.estimators_) if hasattr(model, "estimators_") else [model]


def _mean_of_trees(emit: Emitter, model: Any) -> str:
    members = _members(model)
    if model.n_outputs_ != 1:
        raise NotImplementedError("a tree with several targets")
    width = members[0].tree_.value.shape[2]
    trees = [classic(m.tree_, _leaf_shares(m.tree_.value), range(width)) for m in members]
    total = _ensemble(emit, trees, np.zeros(width), single=True)
    return _combined(emit, "Div", total, float(len(members)))


def _leaf_shares(value: Any) -> Any:
    """[m, k]: a regressor's leaf values, or a classifier's class shares (they sum to 1)."""
    flat = value[:, 0, :]
    return flat / flat.sum(axis=1, keepdims=True) if flat.shape[1] > 1 else flat


def _boosted(emit: Emitter, model: Any) -> str:
    """[n, k] double: GradientBoosting's raw prediction."""
    if model.init_ != "zero" and not type(model.init_).__name__.startswith("Dummy"):
        raise NotImplementedError("GradientBoosting with an init estimator")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_)))
    trees = [
        classic(member.tree_, model.learning_rate * member.tree_.value[:, 0, 0], (target,))
        for stage in model.estimators_
        for target, member in enumerate(stage)
    ]
    return _ensemble(emit, trees, start.ravel(), single=True)


def _hist_boosted(emit: Emitter, model: Any) -> str:
    """[n, k] double: HistGradientBoosting's raw prediction."""
    if getattr(model, "_preprocessor", None) is not None:
        raise NotImplementedError("HistGradientBoosting with categorical features")
    trees = [
        histogram(predictor, target)
        for stage in model._predictors
        for target, predictor in enumerate(stage)
    ]
    return _ensemble(emit, trees, np.ravel(model._baseline_prediction), single=False)


def _linked(emit: Emitter, model: Any, raw: str) -> str:
    """The regression's value behind its link (Poisson and gamma answer exp of the sum)."""
    link = type(model._loss.link).__name__
    if link == "LogLink":
        return emit.node("Exp", raw)
    if link != "IdentityLink":
        raise NotImplementedError(f"a loss with {link}")
    return raw


def _chances(emit: Emitter, model: Any, raw: str) -> str:
    """[n, k] probabilities of boosting's raw scores."""
    loss = type(model._loss).__name__
    if loss == "HalfMultinomialLoss":
        return emit.node("Softmax", raw, axis=1)
    positive = emit.node("Sigmoid", _combined(emit, "Mul", raw, SIGMOID[loss]))
    negative = emit.node("Sub", emit.constant(np.array(1.0)), positive)
    return emit.joined([negative, positive])


def _regression(value: Callable[[Emitter, Any], str]) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        emit = Emitter(scope, operator, container)
        emit.node("Identity", value(emit, operator.raw_operator), out=emit.output)

    return convert


def _classification(value: Callable[[Emitter, Any], str]) -> Any:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        emit = Emitter(scope, operator, container)
        chances = value(emit, operator.raw_operator)
        best = emit.node("ArgMax", chances, axis=1, keepdims=0)
        labels = emit.constant(_labels(operator.raw_operator.classes_))
        emit.node("Gather", labels, best, out=emit.output, axis=0)
        emit.node("Identity", chances, out=operator.outputs[1].full_name)

    return convert


def _labels(classes: Any) -> Any:
    """Classes as ONNX can give them: texts, or whole numbers (booleans become 0 and 1)."""
    if classes.dtype.kind in "OUS" and all(isinstance(label, str) for label in classes):
        return classes.astype(object)
    whole = classes.astype(np.int64)
    if (whole != classes).any():
        raise NotImplementedError("class labels that are neither texts nor whole numbers")
    return whole


def _regression_shape(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, 1])


def _classification_shape(operator: Any) -> None:
    labels = _labels(operator.raw_operator.classes_)
    kind = StringTensorType if labels.dtype == object else Int64TensorType
    operator.outputs[0].type = kind([None])
    operator.outputs[1].type = DoubleTensorType([None, len(labels)])


def _boosted_regression(emit: Emitter, model: Any) -> str:
    return _boosted(emit, model)


def _boosted_chances(emit: Emitter, model: Any) -> str:
    return _chances(emit, model, _boosted(emit, model))


def _hist_regression(emit: Emitter, model: Any) -> str:
    return _linked(emit, model, _hist_boosted(emit, model))


def _hist_chances(emit: Emitter, model: Any) -> str:
    return _chances(emit, model, _hist_boosted(emit, model))


REGRESSORS = {
    tree.DecisionTreeRegressor: _mean_of_trees,
    tree.ExtraTreeRegressor: _mean_of_trees,
    ensemble.RandomForestRegressor: _mean_of_trees,
    ensemble.ExtraTreesRegressor: _mean_of_trees,
    ensemble.GradientBoostingRegressor: _boosted_regression,
    ensemble.HistGradientBoostingRegressor: _hist_regression,
}
CLASSIFIERS = {
    tree.DecisionTreeClassifier: _mean_of_trees,
    tree.ExtraTreeClassifier: _mean_of_trees,
    ensemble.RandomForestClassifier: _mean_of_trees,
    ensemble.ExtraTreesClassifier: _mean_of_trees,
    ensemble.GradientBoostingClassifier: _boosted_chances,
    ensemble.HistGradientBoostingClassifier: _hist_chances,
}
OPTIONS = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "raw_scores": [False],
    "nocl": [True, False],
}


def register() -> None:
    """Tell skl2onnx to use these converters."""
    for model, value in REGRESSORS.items():
        name = f"Berth{model.__name__}"
        update_registered_converter(model, name, _regression_shape, _regression(value))
    for model, value in CLASSIFIERS.items():
        name = f"Berth{model.__name__}"
        update_registered_converter(
            model, name, _classification_shape, _classification(value), options=OPTIONS
        )
