"""Taking a fitted estimator out of its wrappers, and remembering what they do to the answer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler

from models_hub.conversion.functions import writer
from models_hub.conversion.pen import Pen, Write
from models_hub.formats.refusal import Refused


@dataclass(frozen=True, slots=True)
class Core:
    """`estimator` predicts; each of `after`, in order, is applied to what it predicts."""

    estimator: Any
    after: tuple[Write, ...] = ()


def unwrap(estimator: Any) -> Core:
    """The estimator without searches and transformed targets, also as a pipeline's last step.

    Raises `Refused` (`not_convertible`) when a target's transformation is not one we can write.
    """
    if hasattr(estimator, "best_estimator_"):
        return unwrap(estimator.best_estimator_)
    if hasattr(estimator, "regressor_") and hasattr(estimator, "transformer_"):
        inner = unwrap(estimator.regressor_)
        return Core(inner.estimator, (*inner.after, *_inverse(estimator.transformer_)))
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = unwrap(last)
        if inner.estimator is not last:
            steps = [*estimator.steps[:-1], (name, inner.estimator)]
            return Core(Pipeline(steps), inner.after)
    return Core(estimator)


def _inverse(transformer: Any) -> list[Write]:
    if isinstance(transformer, Pipeline):
        return [write for _, step in reversed(transformer.steps) for write in _inverse(step)]
    if isinstance(transformer, FunctionTransformer):
        function = transformer.inverse_func
        if function is None:
            return []
        write = None if transformer.inv_kw_args else writer(function)
        if write is not None:
            return [write]
        raise _unknown(getattr(function, "__name__", "a function"))
    if isinstance(transformer, StandardScaler):
        return [_affine(transformer.scale_, transformer.mean_)]
    if isinstance(transformer, RobustScaler):
        return [_affine(transformer.scale_, transformer.center_)]
    if isinstance(transformer, MinMaxScaler):
        return [_affine(1 / transformer.scale_, -transformer.min_ / transformer.scale_)]
    raise _unknown(type(transformer).__name__)


def _affine(scale: Any, offset: Any) -> Write:
    factor = np.array(1.0 if scale is None else float(np.ravel(scale)[0]))
    shift = np.array(0.0 if offset is None else float(np.ravel(offset)[0]))

    def write(emit: Pen, value: str) -> str:
        scaled = emit.node("Mul", value, emit.constant(factor))
        return emit.node("Add", scaled, emit.constant(shift))

    return write


def _unknown(name: str) -> Refused:
    return Refused(
        "not_convertible",
        f"The target is transformed back by {name[:80]}, which has no counterpart in ONNX: use a "
        "numpy function such as exp or expm1, or a scaler.",
    )
