"""Scalers, and the other transformers that work on each number by itself."""

from typing import Any

import numpy as np

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.registry import transformer
from models_hub.conversion.writers.table import Table


def affine(pen: Pen, value: str, shift: Any = None, divide: Any = None) -> str:
    """(value - shift) / divide, in scikit-learn's order; either may be None."""
    if shift is not None:
        value = pen.apply("Sub", value, np.atleast_2d(shift))
    if divide is not None:
        value = pen.apply("Div", value, np.atleast_2d(divide))
    return value


def clipped(pen: Pen, value: str, low: Any, high: Any) -> str:
    """The value within bounds; NaN stays NaN."""
    value = pen.where(pen.apply("Less", value, low), pen.number(low), value)
    return pen.where(pen.apply("Greater", value, high), pen.number(high), value)


@transformer("StandardScaler")
def _standard(pen: Pen, step: Any, table: Table) -> Table:
    shift = step.mean_ if step.with_mean else None
    value = affine(pen, table.matrix(pen), shift, step.scale_)
    return Table.of(value, table.width, sparse=table.sparse)


@transformer("RobustScaler")
def _robust(pen: Pen, step: Any, table: Table) -> Table:
    value = affine(pen, table.matrix(pen), step.center_, step.scale_)
    return Table.of(value, table.width, sparse=table.sparse)


@transformer("MaxAbsScaler")
def _max_abs(pen: Pen, step: Any, table: Table) -> Table:
    value = affine(pen, table.matrix(pen), None, step.scale_)
    if getattr(step, "clip", False):
        value = clipped(pen, value, -1.0, 1.0)
    return Table.of(value, table.width, sparse=table.sparse)


@transformer("MinMaxScaler")
def _min_max(pen: Pen, step: Any, table: Table) -> Table:
    value = pen.apply("Mul", table.matrix(pen), step.scale_[None, :])
    value = pen.apply("Add", value, step.min_[None, :])
    if step.clip:
        value = clipped(pen, value, *map(float, step.feature_range))
    return Table.of(value, table.width)


@transformer("Binarizer")
def _binarizer(pen: Pen, step: Any, table: Table) -> Table:
    above = pen.apply("Greater", table.matrix(pen), float(step.threshold))
    return Table.of(pen.double(above), table.width, sparse=table.sparse)


@transformer("Normalizer")
def _normalizer(pen: Pen, step: Any, table: Table) -> Table:
    value = table.matrix(pen)
    size = pen.node("Abs", value)
    if step.norm == "l2":
        size = pen.node("Sqrt", pen.total(pen.node("Mul", value, value)))
    elif step.norm == "l1":
        size = pen.total(size)
    else:
        size = pen.node("ReduceMax", size, pen.constant(np.array([1])), keepdims=1)
    size = pen.where(pen.apply("Equal", size, 0.0), 1.0, size)
    return Table.of(pen.node("Div", value, size), table.width, sparse=table.sparse)


@transformer("PolynomialFeatures")
def _polynomial(pen: Pen, step: Any, table: Table) -> Table:
    """Each output is a product of at most `degree` inputs. With a column of ones in front, all
    outputs are one product of `degree` gathered matrices."""
    value, factors = table.matrix(pen), _factors(step.powers_)
    first = pen.gather(value, [0])
    # 1 in every row; taken from the shape, since 0 * NaN is NaN
    ones = pen.where(pen.node("Equal", first, first), pen.number([[1.0]]), pen.number([[1.0]]))
    padded, product = pen.joined([ones, value]), ""
    for factor in factors.T:
        gathered = pen.gather(padded, factor)
        product = pen.node("Mul", product, gathered) if product else gathered
    return Table.of(product, len(factors), sparse=table.sparse)


def _factors(powers: Any) -> Any:
    """[outputs, degree]: the columns to multiply, counted from 1; 0 is the column of ones."""
    degree = max(1, int(powers.sum(axis=1).max()))
    factors = np.zeros((len(powers), degree), dtype=np.int64)
    for place, row in enumerate(powers):
        chosen = np.repeat(np.arange(1, len(row) + 1), row)
        factors[place, : len(chosen)] = chosen
    return factors


@transformer("PowerTransformer")
def _power(pen: Pen, step: Any, table: Table) -> Table:
    bend = _yeo_johnson if step.method == "yeo-johnson" else _positive_box_cox
    columns = [
        bend(pen, part.value, float(power))
        for part, power in zip(table.columns(pen), step.lambdas_, strict=True)
    ]
    value = pen.joined(columns)
    if step.standardize:
        value = affine(pen, value, step._scaler.mean_, step._scaler.scale_)
    return Table.of(value, table.width)


def _positive_box_cox(pen: Pen, value: str, power: float) -> str:
    """NaN where scikit-learn raises: for what is not above zero."""
    return _box_cox(pen, pen.where(pen.apply("Greater", value, 0.0), value, np.nan), power)


def _box_cox(pen: Pen, value: str, power: float) -> str:
    """(x^power - 1) / power, or log x. https://doi.org/10.1111/j.2517-6161.1964.tb00553.x"""
    if power == 0:
        return pen.node("Log", value)
    raised = pen.apply("Pow", value, power)
    return pen.apply("Div", pen.apply("Sub", raised, 1.0), power)


def _yeo_johnson(pen: Pen, value: str, power: float) -> str:
    """Box-Cox of x + 1 above zero, of 1 - x with 2 - power below. As scikit-learn: doi
    10.1093/biomet/87.4.954."""
    below = pen.apply("Less", value, 0.0)
    up = pen.apply("Add", pen.where(below, 0.0, value), 1.0)
    down = pen.node("Sub", pen.number(1.0), pen.where(below, value, 0.0))
    eps = np.finfo(np.float64).eps
    above = _box_cox(pen, up, 0.0 if abs(power) < eps else power)
    mirrored = 2.0 - power
    under = _box_cox(pen, down, 0.0 if abs(mirrored) <= eps else mirrored)
    return pen.where(below, pen.node("Neg", under), above)


@transformer("KBinsDiscretizer")
def _bins(pen: Pen, step: Any, table: Table) -> Table:
    outputs = []
    for part, edges in zip(table.columns(pen), step.bin_edges_, strict=True):
        place = counted(pen, part.value, edges[1:-1])
        if step.encode == "ordinal":
            outputs.append(place)
        else:
            outputs.append(pen.double(pen.apply("Equal", place, np.arange(len(edges) - 1.0))))
    width = table.width if step.encode == "ordinal" else int(sum(step.n_bins_))
    return Table.of(pen.joined(outputs), width, sparse=step.encode == "onehot")


def counted(pen: Pen, value: str, edges: Any) -> str:
    """[n, 1] double: how many of the edges are at or below the value."""
    if not len(edges):
        return pen.apply("Mul", value, 0.0)
    return pen.total(pen.double(pen.apply("GreaterOrEqual", value, np.asarray(edges)[None, :])))
