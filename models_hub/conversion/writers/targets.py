"""Undoing what was done to the target before a regressor was fitted."""

from typing import Any

import numpy as np

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.functions import written
from models_hub.conversion.writers.quantiles import NEAR, interpolated, normal_share
from models_hub.conversion.writers.registry import kind


def restored(pen: Pen, transformer: Any, value: str) -> str:
    """What `transformer.inverse_transform` makes of predictions [n, 1]."""
    name = kind(transformer)
    if name == "Pipeline":
        for _, step in reversed(transformer.steps):
            value = restored(pen, step, value)
        return value
    if name == "FunctionTransformer":
        return written(pen, transformer.inverse_func, transformer.inv_kw_args, value)
    if name == "StandardScaler":
        return _affine(pen, value, transformer.scale_, transformer.mean_)
    if name == "RobustScaler":
        return _affine(pen, value, transformer.scale_, transformer.center_)
    if name == "MaxAbsScaler":
        return _affine(pen, value, transformer.scale_, None)
    if name == "MinMaxScaler":
        moved = pen.apply("Sub", value, float(transformer.min_[0]))
        return pen.apply("Div", moved, float(transformer.scale_[0]))
    if name == "PowerTransformer":
        return _unbent(pen, transformer, value)
    if name == "QuantileTransformer":
        if transformer.output_distribution == "normal":
            value = normal_share(pen, value)
            low = pen.apply("Less", pen.apply("Sub", value, NEAR), 0.0)
            high = pen.apply("Greater", pen.apply("Add", value, NEAR), 1.0)
            value = pen.where(low, 0.0, pen.where(high, 1.0, value))
        return interpolated(pen, value, transformer.references_, transformer.quantiles_[:, 0])
    raise NotImplementedError(f"a target transformed by {type(transformer).__name__}")


def _affine(pen: Pen, value: str, scale: Any, offset: Any) -> str:
    if scale is not None:
        value = pen.apply("Mul", value, float(np.ravel(scale)[0]))
    return value if offset is None else pen.apply("Add", value, float(np.ravel(offset)[0]))


def _unbent(pen: Pen, transformer: Any, value: str) -> str:
    """The inverses of Box-Cox and Yeo-Johnson, as in scikit-learn."""
    power = float(transformer.lambdas_[0])
    if transformer.standardize:
        scaler = transformer._scaler
        value = _affine(pen, value, scaler.scale_, scaler.mean_)
    if transformer.method == "box-cox":
        return _raised(pen, value, power)
    above = pen.apply("Sub", _raised(pen, value, power), 1.0)
    below = _raised(pen, pen.node("Neg", value), 2.0 - power)
    below = pen.node("Sub", pen.number(1.0), below)
    return pen.where(pen.apply("GreaterOrEqual", value, 0.0), above, below)


def _raised(pen: Pen, value: str, power: float) -> str:
    """(x * power + 1)^(1 / power), or exp x."""
    if abs(power) < np.finfo(np.float64).eps:
        return pen.node("Exp", value)
    return pen.apply("Pow", pen.apply("Add", pen.apply("Mul", value, power), 1.0), 1.0 / power)
