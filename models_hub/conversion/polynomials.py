"""Converter of ours for PolynomialFeatures: in double.

Each output is a product of at most `degree` inputs. With a column of ones in front, all outputs
are one product of `degree` gathered matrices.
"""

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.preprocessing import PolynomialFeatures

from models_hub.conversion.emitter import Emitter


def _convert(scope: Any, operator: Any, container: Any) -> None:
    emit, powers = Emitter(scope, operator, container), operator.raw_operator.powers_
    value = emit.joined(emit.inputs)
    first = emit.node("Gather", value, emit.constant(np.array([0])), axis=1)
    # 1 in every row; taken from the shape, since 0 * NaN is NaN
    ones = emit.node("Where", emit.node("Equal", first, first), *_pair(emit))
    padded = emit.joined([ones, value])
    product = ""
    for factor in _factors(powers).T:
        gathered = emit.node("Gather", padded, emit.constant(factor), axis=1)
        product = emit.node("Mul", product, gathered) if product else gathered
    emit.node("Identity", product, out=emit.output)


def _pair(emit: Emitter) -> tuple[str, str]:
    one = emit.constant(np.array([[1.0]]))
    return one, one


def _factors(powers: Any) -> Any:
    """[outputs, degree]: the columns to multiply, counted from 1; 0 is the column of ones."""
    degree = max(1, int(powers.sum(axis=1).max()))
    factors = np.zeros((len(powers), degree), dtype=np.int64)
    for place, row in enumerate(powers):
        chosen = np.repeat(np.arange(1, len(row) + 1), row)
        factors[place, : len(chosen)] = chosen
    return factors


def _shape(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, len(operator.raw_operator.powers_)])


def register() -> None:
    """Tell skl2onnx to use this converter."""
    update_registered_converter(PolynomialFeatures, "BerthPolynomialFeatures", _shape, _convert)
