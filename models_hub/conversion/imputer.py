"""Converter of ours for SimpleImputer: in double, for strings, with indicator.

onnxruntime has no Imputer for doubles, and skl2onnx's for strings knows no missing value. Here
it is Where(is missing, statistic, x), with "" as the missing string.
"""

from typing import Any

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.impute import SimpleImputer

from berth.signature import MISSING_STRING
from models_hub.conversion.emitter import Emitter
from models_hub.conversion.missing import is_missing, kept


def _is_text(operator: Any) -> bool:
    return isinstance(operator.inputs[0].type, StringTensorType)


def _mask(emit: Emitter, value: str, missing: Any, strings: bool) -> str:
    if strings:
        marker = MISSING_STRING if is_missing(missing) else str(missing)
        return emit.node("Equal", value, emit.constant(np.array([[marker]], dtype=object)))
    if is_missing(missing):
        return emit.node("IsNaN", value)
    return emit.node("Equal", value, emit.constant(np.array([[float(missing)]])))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    emit, imputer, strings = (
        Emitter(scope, operator, container),
        operator.raw_operator,
        _is_text(operator),
    )
    value = emit.joined(emit.inputs)
    mask = _mask(emit, value, imputer.missing_values, strings)
    columns = kept(imputer)
    statistics = imputer.statistics_[columns][None, :]
    filled, holes = value, mask
    if len(columns) < len(imputer.statistics_):
        index = emit.constant(np.array(columns))
        filled, holes = (emit.node("Gather", part, index, axis=1) for part in (value, mask))
    fill = emit.constant(statistics if strings else statistics.astype(float))
    if not imputer.add_indicator or not len(imputer.indicator_.features_):
        emit.node("Where", holes, fill, filled, out=emit.output)
        return
    filled = emit.node("Where", holes, fill, filled)
    seen = emit.constant(np.asarray(imputer.indicator_.features_, dtype=np.int64))
    indicator = emit.cast(emit.node("Gather", mask, seen, axis=1), TensorProto.DOUBLE)
    emit.joined([filled, indicator], out=emit.output)


def _shape(operator: Any) -> None:
    imputer, strings = operator.raw_operator, _is_text(operator)
    extra = len(imputer.indicator_.features_) if imputer.add_indicator else 0
    if strings and extra:
        raise NotImplementedError("SimpleImputer(add_indicator=True) over strings")
    kind = StringTensorType if strings else DoubleTensorType
    operator.outputs[0].type = kind([None, len(kept(imputer)) + extra])


def register() -> None:
    """Tell skl2onnx to use this converter."""
    update_registered_converter(SimpleImputer, "BerthSimpleImputer", _shape, _convert)
