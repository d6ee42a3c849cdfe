"""Interpolation between points, and QuantileTransformer, which does little else."""

from math import factorial
from typing import Any

import numpy as np
from numpy.polynomial import hermite_e
from onnx import TensorProto
from scipy.special import ndtr

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.encoding import looked_up
from models_hub.conversion.writers.registry import transformer
from models_hub.conversion.writers.scaling import clipped, counted
from models_hub.conversion.writers.table import Table

#: scikit-learn keeps this far from 0 and 1
NEAR = 1e-7
STEPS = 64  # points a unit, for the normal distribution
# Wichura (1988), Algorithm AS 241, PPND16: the normal quantile to 16 digits.
# https://doi.org/10.2307/2347330. Highest power first.
MIDDLE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
TAIL = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
     4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
     2.05319162663775882187, 1.0),
)  # fmt: skip


def interpolated(pen: Pen, value: str, points: Any, levels: Any) -> str:
    """numpy.interp of a value [n, 1]."""
    points, levels = np.asarray(points, dtype=float), np.asarray(levels, dtype=float)
    gaps = np.diff(points)
    slopes = np.divide(np.diff(levels), gaps, out=np.zeros_like(gaps), where=gaps > 0)
    place = pen.cast(counted(pen, value, points), TensorProto.INT64)
    start = looked_up(pen, place, np.append(points[0], points))
    slope = looked_up(pen, place, np.concatenate([[0.0], slopes, [0.0]]))
    level = looked_up(pen, place, np.append(levels[0], levels))
    rise = pen.node("Mul", slope, pen.node("Sub", value, start))
    return pen.node("Add", level, rise)


@transformer("QuantileTransformer")
def _quantiles(pen: Pen, step: Any, table: Table) -> Table:
    columns = [
        _spread(pen, step, part.value, quantiles)
        for part, quantiles in zip(table.columns(pen), step.quantiles_.T, strict=True)
    ]
    return Table.of(pen.joined(columns), len(columns))


def _spread(pen: Pen, step: Any, value: str, quantiles: Any) -> str:
    shares = step.references_
    up = interpolated(pen, value, quantiles, shares)
    down = interpolated(pen, pen.node("Neg", value), -quantiles[::-1], -shares[::-1])
    level = pen.apply("Mul", pen.node("Sub", up, down), 0.5)
    if step.output_distribution == "uniform":
        level = pen.where(pen.apply("Equal", value, quantiles[-1]), 1.0, level)
        return pen.where(pen.apply("Equal", value, quantiles[0]), 0.0, level)
    high = pen.apply("Greater", pen.apply("Add", value, NEAR), quantiles[-1])
    low = pen.apply("Less", pen.apply("Sub", value, NEAR), quantiles[0])
    level = pen.where(low, 0.0, pen.where(high, 1.0, level))
    edge = NEAR - np.spacing(1)
    return _normal(pen, clipped(pen, level, edge, 1.0 - edge))


def _normal(pen: Pen, share: str) -> str:
    """The normal distribution's quantile of a share well inside (0, 1)."""
    middle = pen.apply("Sub", share, 0.5)
    square = pen.node("Sub", pen.number(0.180625), pen.node("Mul", middle, middle))
    inner = pen.node("Mul", middle, _ratio(pen, square, *MIDDLE))
    rest = pen.node("Min", share, pen.node("Sub", pen.number(1.0), share))
    root = pen.node("Sqrt", pen.node("Neg", pen.node("Log", rest)))
    outer = _ratio(pen, pen.apply("Sub", root, 1.6), *TAIL)
    outer = pen.node("Mul", pen.node("Sign", middle), outer)
    near = pen.apply("LessOrEqual", pen.node("Abs", middle), 0.425)
    return pen.where(near, inner, outer)


def normal_share(pen: Pen, value: str) -> str:
    """The normal distribution function of a value [n, 1], to 1e-13.

    onnxruntime has no Erf in double: here it is Taylor's series at the nearest of many points.
    """
    points = np.arange(-9 * STEPS, 9 * STEPS + 1) / STEPS
    place = pen.node("Round", pen.apply("Mul", clipped(pen, value, -9.0, 9.0), float(STEPS)))
    near = pen.apply("Div", place, float(STEPS))
    gap = pen.node("Sub", clipped(pen, value, -9.0, 9.0), near)
    index = pen.cast(pen.apply("Add", place, 9.0 * STEPS), TensorProto.INT64)
    series = _taylor(points)
    total = looked_up(pen, index, series[-1])
    for term in series[-2::-1]:
        total = pen.node("Add", pen.node("Mul", total, gap), looked_up(pen, index, term))
    return total


def _taylor(points: Any) -> list[Any]:
    """The coefficients of each power: derivatives are the density times Hermite polynomials."""
    density = np.exp(-points * points / 2) / np.sqrt(2 * np.pi)
    derivatives = [
        (-1) ** power * hermite_e.hermeval(points, np.eye(6)[power]) * density for power in range(6)
    ]
    return [ndtr(points)] + [
        derivative / factorial(power + 1) for power, derivative in enumerate(derivatives)
    ]


def _ratio(pen: Pen, value: str, above: tuple[float, ...], below: tuple[float, ...]) -> str:
    return pen.node("Div", _polynomial(pen, value, above), _polynomial(pen, value, below))


def _polynomial(pen: Pen, value: str, factors: tuple[float, ...]) -> str:
    total = pen.number(factors[0])
    for factor in factors[1:]:
        total = pen.apply("Add", pen.node("Mul", total, value), factor)
    return total
