"""SplineTransformer: each basis function is a polynomial on each interval between knots."""

from math import factorial
from typing import Any

import numpy as np
from onnx import TensorProto

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.encoding import looked_up
from models_hub.conversion.writers.registry import transformer
from models_hub.conversion.writers.scaling import clipped, counted
from models_hub.conversion.writers.table import Table


@transformer("SplineTransformer")
def _splines(pen: Pen, step: Any, table: Table) -> Table:
    blocks, width = [], step.n_features_out_ // table.width
    for part, spline in zip(table.columns(pen), step.bsplines_, strict=True):
        block = _basis(pen, part.value, spline, step.degree, step.extrapolation)
        blocks.append(block if step.include_bias else pen.gather(block, range(width)))
    return Table.of(pen.joined(blocks), step.n_features_out_)


def _basis(pen: Pen, value: str, spline: Any, degree: int, beyond: str) -> str:
    """[n, m] double: the m basis functions at each value."""
    knots = spline.t[degree : len(spline.t) - degree]
    low, high = float(knots[0]), float(knots[-1])
    if beyond == "periodic":
        turns = pen.node("Floor", pen.apply("Div", pen.apply("Sub", value, low), high - low))
        value = pen.node("Sub", value, pen.apply("Mul", turns, high - low))
    elif beyond == "constant":
        value = clipped(pen, value, low, high)
    elif beyond == "error":
        outside = pen.node("Or", pen.apply("Less", value, low), pen.apply("Greater", value, high))
        value = pen.where(outside, np.nan, value)
    edges, starts, pieces = _pieces(spline, knots, degree, beyond)
    place = pen.cast(counted(pen, value, edges), TensorProto.INT64)
    step = pen.node("Sub", value, looked_up(pen, place, starts))
    total = looked_up(pen, place, pieces[0])
    for piece in pieces[1:]:  # Horner's rule
        total = pen.node("Add", pen.node("Mul", total, step), looked_up(pen, place, piece))
    return total


def _pieces(spline: Any, knots: Any, degree: int, beyond: str) -> tuple[Any, Any, Any]:
    """Where pieces change, where each starts, and [degree + 1, pieces, m] coefficients."""
    # Taylor's series at the left knot of each piece: exact for polynomials
    powers = range(degree, -1, -1)
    pieces = np.stack([spline(knots[:-1], nu=power) / factorial(power) for power in powers])
    if beyond != "linear" or not degree:
        return knots[1:-1], knots[:-1], pieces
    ends = [(knots[0], spline(knots[0]), spline(knots[0], 1))]
    ends.append((knots[-1], spline(knots[-1]), spline(knots[-1], 1)))
    below, above = (_line(value, slope, pieces.shape) for _, value, slope in ends)
    return knots, np.append(knots[0], knots), np.concatenate([below, pieces, above], axis=1)


def _line(value: Any, slope: Any, shape: tuple[int, ...]) -> Any:
    line = np.zeros((shape[0], 1, shape[2]))
    line[-1, 0], line[-2, 0] = value, slope
    return line
