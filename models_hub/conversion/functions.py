"""Element-wise numpy functions as ONNX nodes: for FunctionTransformer and for targets.

Each entry is the numpy ufunc's own formula in double. log1p and expm1 lose digits only for
arguments below about 1e-10, far under what the parity check allows.
"""

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from sklearn.preprocessing import FunctionTransformer

from models_hub.conversion.emitter import Emitter
from models_hub.conversion.pen import Pen, Write

ONE = np.array(1.0)


def _simple(kind: str) -> Write:
    return lambda emit, value: emit.node(kind, value)


def _log1p(emit: Pen, value: str) -> str:
    return emit.node("Log", emit.node("Add", value, emit.constant(ONE)))


def _expm1(emit: Pen, value: str) -> str:
    return emit.node("Sub", emit.node("Exp", value), emit.constant(ONE))


def _scaled_log(base: float) -> Write:
    factor = np.array(1.0 / np.log(base))
    return lambda emit, value: emit.node("Mul", emit.node("Log", value), emit.constant(factor))


def _power_of(base: float) -> Write:
    return lambda emit, value: emit.node("Pow", emit.constant(np.array(base)), value)


FUNCTIONS: dict[str, Write] = {
    "log": _simple("Log"),
    "log1p": _log1p,
    "log2": _scaled_log(2.0),
    "log10": _scaled_log(10.0),
    "exp": _simple("Exp"),
    "exp2": _power_of(2.0),
    "expm1": _expm1,
    "sqrt": _simple("Sqrt"),
    "square": lambda emit, value: emit.node("Mul", value, value),
    "cbrt": lambda emit, value: emit.node(
        "Mul",
        emit.node("Sign", value),
        emit.node("Pow", emit.node("Abs", value), emit.constant(np.array(1.0 / 3.0))),
    ),
    "absolute": _simple("Abs"),
    "negative": _simple("Neg"),
    "reciprocal": _simple("Reciprocal"),
    "sin": _simple("Sin"),
    "cos": _simple("Cos"),
    "tanh": _simple("Tanh"),
}


def writer(function: Any) -> Write | None:
    """How to write a numpy ufunc as nodes; None if it is not one that we know."""
    name = str(getattr(function, "__name__", ""))
    known = isinstance(function, np.ufunc) and getattr(np, name, None) is function
    return FUNCTIONS.get(name) if known else None


def _shape(operator: Any) -> None:
    first = operator.inputs[0].type
    width = sum(variable.type.shape[1] or 0 for variable in operator.inputs)
    operator.outputs[0].type = type(first)([None, width or None])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    emit, transformer = Emitter(scope, operator, container), operator.raw_operator
    value = emit.joined(emit.inputs)
    if transformer.func is not None:
        write = None if transformer.kw_args else writer(transformer.func)
        if write is None:
            name = getattr(transformer.func, "__name__", "a function")
            raise NotImplementedError(f"FunctionTransformer({name})")
        value = write(emit, value)
    emit.node("Identity", value, out=emit.output)


def register() -> None:
    """Tell skl2onnx to use this converter."""
    update_registered_converter(FunctionTransformer, "BerthFunctionTransformer", _shape, _convert)
