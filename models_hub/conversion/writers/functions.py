"""Element-wise numpy and scipy functions, for FunctionTransformer and for targets.

Each entry is the function's own formula in double. log1p and expm1 lose digits only for arguments
below about 1e-10, far under what the parity check allows.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from models_hub.conversion.pen import Pen, Write
from models_hub.conversion.writers.registry import transformer
from models_hub.conversion.writers.scaling import clipped
from models_hub.conversion.writers.table import Table


def _simple(kind: str) -> Write:
    return lambda pen, value: pen.node(kind, value)


def _log1p(pen: Pen, value: str) -> str:
    return pen.node("Log", pen.apply("Add", value, 1.0))


def _expm1(pen: Pen, value: str) -> str:
    return pen.apply("Sub", pen.node("Exp", value), 1.0)


def _scaled_log(base: float) -> Write:
    return lambda pen, value: pen.apply("Mul", pen.node("Log", value), 1.0 / np.log(base))


def _power_of(base: float) -> Write:
    return lambda pen, value: pen.node("Pow", pen.number(base), value)


def _cube_root(pen: Pen, value: str) -> str:
    root = pen.apply("Pow", pen.node("Abs", value), 1.0 / 3.0)
    return pen.node("Mul", pen.node("Sign", value), root)


def _logit(pen: Pen, value: str) -> str:
    return pen.node("Log", pen.node("Div", value, pen.node("Sub", pen.number(1.0), value)))


def _same(pen: Pen, value: str) -> str:
    return value


PLAIN: dict[str, Write] = {
    "log": _simple("Log"),
    "log1p": _log1p,
    "log2": _scaled_log(2.0),
    "log10": _scaled_log(10.0),
    "exp": _simple("Exp"),
    "exp2": _power_of(2.0),
    "exp10": _power_of(10.0),
    "expm1": _expm1,
    "sqrt": _simple("Sqrt"),
    "square": lambda pen, value: pen.node("Mul", value, value),
    "cbrt": _cube_root,
    "absolute": _simple("Abs"),
    "fabs": _simple("Abs"),
    "negative": _simple("Neg"),
    "positive": _same,
    "reciprocal": _simple("Reciprocal"),
    "sign": _simple("Sign"),
    "sin": _simple("Sin"),
    "cos": _simple("Cos"),
    "tan": lambda pen, value: pen.node("Div", pen.node("Sin", value), pen.node("Cos", value)),
    "tanh": _simple("Tanh"),
    "sinh": lambda pen, value: pen.apply(
        "Mul",
        pen.node("Sub", pen.node("Exp", value), pen.node("Exp", pen.node("Neg", value))),
        0.5,
    ),
    "arcsinh": lambda pen, value: pen.node(
        "Mul",
        pen.node("Sign", value),
        pen.node(
            "Log",
            pen.node(
                "Add",
                pen.node("Abs", value),
                pen.node("Sqrt", pen.apply("Add", pen.node("Mul", value, value), 1.0)),
            ),
        ),
    ),
    "floor": _simple("Floor"),
    "ceil": _simple("Ceil"),
    "rint": _simple("Round"),
    "isnan": lambda pen, value: pen.double(pen.node("IsNaN", value)),
    "expit": _simple("Sigmoid"),
    "logit": _logit,
}


def _clip(pen: Pen, value: str, given: dict[str, Any]) -> str:
    low = given.pop("a_min", given.pop("min", None))
    high = given.pop("a_max", given.pop("max", None))
    return clipped(
        pen, value, float(-np.inf if low is None else low), float(np.inf if high is None else high)
    )


def _nan_to_num(pen: Pen, value: str, given: dict[str, Any]) -> str:
    given.pop("copy", None)
    most = np.finfo(np.float64).max
    fill, high, low = given.pop("nan", 0.0), given.pop("posinf", None), given.pop("neginf", None)
    value = pen.where(pen.node("IsNaN", value), float(fill), value)
    above, below = (
        pen.apply("Equal", value, np.inf),
        pen.apply("Equal", value, -np.inf),
    )
    value = pen.where(above, most if high is None else float(high), value)
    return pen.where(below, -most if low is None else float(low), value)


def _round(pen: Pen, value: str, given: dict[str, Any]) -> str:
    if given.pop("decimals", 0) != 0:
        raise NotImplementedError("rounding to decimals")
    return pen.node("Round", value)


def _with(kind: str) -> Callable[[Pen, str, dict[str, Any]], str]:
    """A function of two arguments whose second is given by name."""
    return lambda pen, value, given: pen.apply(kind, value, float(given.pop("x2")))


GIVEN: dict[str, Callable[[Pen, str, dict[str, Any]], str]] = {
    "clip": _clip,
    "nan_to_num": _nan_to_num,
    "round": _round,
    "around": _round,
    "power": _with("Pow"),
    "multiply": _with("Mul"),
    "divide": _with("Div"),
    "add": _with("Add"),
    "subtract": _with("Sub"),
    "maximum": _with("Max"),
    "minimum": _with("Min"),
}


def written(pen: Pen, function: Any, keywords: dict[str, Any] | None, value: str) -> str:
    """What the function makes of the value; raises NotImplementedError if it is not known."""
    if function is None:
        return value
    name, left = str(getattr(function, "__name__", "a function"))[:60], dict(keywords or {})
    if _known(function, name):
        if name in PLAIN and not left:
            return PLAIN[name](pen, value)
        if name in GIVEN:
            value = GIVEN[name](pen, value, left)
            if not left:
                return value
    raise NotImplementedError(f"the function {name}")


def _known(function: Any, name: str) -> bool:
    if getattr(np, name, None) is function:
        return True
    return isinstance(function, np.ufunc) and name in ("expit", "logit", "exp10")


@transformer("FunctionTransformer")
def _function(pen: Pen, step: Any, table: Table) -> Table:
    if step.func is None:
        return table
    value = written(pen, step.func, step.kw_args, table.matrix(pen))
    return Table.of(value, table.width, sparse=table.sparse)
