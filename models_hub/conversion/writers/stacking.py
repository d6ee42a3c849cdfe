"""Stacking, calibration, thresholds and transformed targets: a model behind a model."""

from typing import Any

import numpy as np
from onnx import TensorProto

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.forests import both
from models_hub.conversion.writers.quantiles import interpolated
from models_hub.conversion.writers.registry import (
    Scores,
    chances,
    classifier,
    classify,
    decides,
    decisions,
    place_of,
    regress,
    regressor,
)
from models_hub.conversion.writers.table import Part, Table, beside
from models_hub.conversion.writers.targets import restored


def _stacked(pen: Pen, model: Any, table: Table) -> Table:
    """What the members say, and the columns themselves with `passthrough`."""
    pen.exact = True
    parts = [
        _said(pen, member, method, table)
        for member, method in zip(model.estimators_, model.stack_method_, strict=True)
    ]
    stacked = Table(tuple(parts))
    return beside([stacked, table]) if model.passthrough else stacked


def _said(pen: Pen, member: Any, method: str, table: Table) -> Part:
    classes = len(getattr(member, "classes_", ()))
    if method == "predict_proba":
        value = chances(pen, member, table)
        return Part(pen.gather(value, [1]), 1) if classes == 2 else Part(value, classes)
    if method == "decision_function":
        return Part(decisions(pen, member, table), 1 if classes == 2 else classes)
    if classes:
        place = pen.double(place_of(pen, classify(pen, member, table)))
        return Part(pen.node("Reshape", place, pen.constant(np.array([-1, 1]))), 1)
    return Part(regress(pen, member, table), 1)


@regressor("StackingRegressor")
def _stacking(pen: Pen, model: Any, table: Table) -> str:
    return regress(pen, model.final_estimator_, _stacked(pen, model, table))


@classifier("StackingClassifier")
def _stacking_classifier(pen: Pen, model: Any, table: Table) -> Scores:
    return classify(pen, model.final_estimator_, _stacked(pen, model, table))


@classifier("CalibratedClassifierCV")
def _calibrated(pen: Pen, model: Any, table: Table) -> Scores:
    pen.exact = True
    members = [_calibrated_one(pen, one, table) for one in model.calibrated_classifiers_]
    total = members[0]
    for member in members[1:]:
        total = pen.node("Add", total, member)
    return Scores(pen.apply("Div", total, float(len(members))))


def _calibrated_one(pen: Pen, one: Any, table: Table) -> str:
    """[n, k]: one fitted classifier's scores, each class sent through its calibrator."""
    count, estimator = len(one.classes), one.estimator
    if one.method not in ("sigmoid", "isotonic") or len(estimator.classes_) != count:
        raise NotImplementedError(f"calibration by {one.method}, or with classes missing")
    if decides(estimator):
        raw = decisions(pen, estimator, table)
    else:
        raw = chances(pen, estimator, table)
        raw = pen.gather(raw, [1]) if count == 2 else raw
    if count == 2:
        return both(pen, _levelled(pen, one.calibrators[0], raw))
    each = [
        _levelled(pen, calibrator, pen.gather(raw, [index]))
        for index, calibrator in enumerate(one.calibrators)
    ]
    shares = pen.joined(each)
    # where every class has 0, all are alike
    shares = pen.where(pen.apply("Equal", pen.total(shares), 0.0), 1.0, shares)
    return pen.node("Div", shares, pen.total(shares))


def _levelled(pen: Pen, calibrator: Any, raw: str) -> str:
    if hasattr(calibrator, "a_"):
        line = pen.apply("Add", pen.apply("Mul", raw, float(calibrator.a_)), float(calibrator.b_))
        return pen.node("Sigmoid", pen.node("Neg", line))
    return _isotonic(pen, calibrator, raw)


def _isotonic(pen: Pen, model: Any, raw: str) -> str:
    """Beyond its range it clips, or it has no answer."""
    if model.out_of_bounds != "clip":
        below = pen.apply("Less", raw, float(model.X_min_))
        outside = pen.node("Or", below, pen.apply("Greater", raw, float(model.X_max_)))
        raw = pen.where(outside, np.nan, raw)
    return interpolated(pen, raw, model.X_thresholds_, model.y_thresholds_)


@regressor("IsotonicRegression")
def _isotonic_regression(pen: Pen, model: Any, table: Table) -> str:
    return _isotonic(pen, model, table.matrix(pen))


@classifier("FixedThresholdClassifier", "TunedThresholdClassifierCV")
def _threshold(pen: Pen, model: Any, table: Table) -> Scores:
    inner = model.estimator_ if hasattr(model, "estimator_") else model.estimator
    shares = chances(pen, inner, table)
    if model.response_method == "decision_function":
        raise NotImplementedError("a threshold on the decision function")
    cut: Any = getattr(model, "best_threshold_", getattr(model, "threshold", "auto"))
    cut = 0.5 if cut == "auto" else float(cut)
    label = model.pos_label if hasattr(model, "pos_label") else None
    positive = 1 if label is None else int(np.flatnonzero(model.classes_ == label)[0])
    above = pen.apply("GreaterOrEqual", pen.gather(shares, [positive]), cut)
    above = pen.cast(pen.node("Reshape", above, pen.constant(np.array([-1]))), TensorProto.INT64)
    places = pen.constant(np.array([1 - positive, positive]))
    return Scores(shares, pen.node("Gather", places, above, axis=0))


@classifier("SelfTrainingClassifier")
def _self_training(pen: Pen, model: Any, table: Table) -> Scores:
    return classify(pen, model.estimator_, table)


@regressor("TransformedTargetRegressor")
def _transformed(pen: Pen, model: Any, table: Table) -> str:
    pen.exact = True
    return restored(pen, model.transformer_, regress(pen, model.regressor_, table))
