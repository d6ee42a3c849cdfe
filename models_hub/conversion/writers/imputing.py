"""Imputers: Where(is missing, filled, x), with "" as the missing text."""

from typing import Any

import numpy as np

from berth.signature import MISSING_STRING
from models_hub.conversion.missing import is_missing, kept
from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.registry import regress, transformer
from models_hub.conversion.writers.table import Part, Table, beside


def mask_of(pen: Pen, part: Part, missing: Any) -> str:
    """[n, 1] bool: where the column has the imputer's marker of what is missing."""
    if part.text:
        marker = MISSING_STRING if is_missing(missing) else str(missing)
        return pen.node("Equal", part.value, pen.constant(np.array([[marker]], dtype=object)))
    if is_missing(missing):
        return pen.node("IsNaN", part.value)
    return pen.apply("Equal", part.value, float(missing))


def _filled(pen: Pen, part: Part, missing: Any, statistic: Any) -> Part:
    fill = np.array([[statistic]], dtype=object if part.text else np.float64)
    value = pen.node("Where", mask_of(pen, part, missing), pen.constant(fill), part.value)
    return Part(value, 1, part.text)


@transformer("SimpleImputer")
def _simple(pen: Pen, imputer: Any, table: Table) -> Table:
    columns = table.columns(pen)
    filled = [
        _filled(pen, columns[index], imputer.missing_values, imputer.statistics_[index])
        for index in kept(imputer)
    ]
    return with_indicator(pen, imputer, columns, Table(tuple(filled)))


def with_indicator(pen: Pen, imputer: Any, columns: list[Part], filled: Table) -> Table:
    """The filled columns, and what was missing if the imputer notes it."""
    if not imputer.add_indicator or not len(imputer.indicator_.features_):
        return filled
    return beside([filled, _indicated(pen, imputer.indicator_, columns)])


def _indicated(pen: Pen, indicator: Any, columns: list[Part]) -> Table:
    marks = [
        pen.double(mask_of(pen, columns[index], indicator.missing_values))
        for index in indicator.features_
    ]
    return Table.of(pen.joined(marks), len(marks))


@transformer("MissingIndicator")
def _indicator(pen: Pen, step: Any, table: Table) -> Table:
    if not len(step.features_):
        raise NotImplementedError("MissingIndicator that found nothing missing")
    return _indicated(pen, step, table.columns(pen))


@transformer("IterativeImputer")
def _iterative(pen: Pen, imputer: Any, table: Table) -> Table:
    """Its first guess, then every regression that it fitted, in turn."""
    if imputer.sample_posterior or len(kept(imputer.initial_imputer_)) < table.width:
        raise NotImplementedError("IterativeImputer that draws, or with empty columns")
    columns = table.columns(pen)
    masks = [mask_of(pen, part, imputer.missing_values) for part in columns]
    statistics = imputer.initial_imputer_.statistics_
    values = [
        _filled(pen, part, imputer.missing_values, statistic)
        for part, statistic in zip(columns, statistics, strict=True)
    ]
    low, high = (np.ravel(bound) for bound in (imputer._min_value, imputer._max_value))
    for step in imputer.imputation_sequence_:
        place = int(step.feat_idx)
        given = Table(tuple(values[int(index)] for index in step.neighbor_feat_idx))
        guess = _within(pen, regress(pen, step.estimator, given), low[place], high[place])
        values[place] = Part(pen.where(masks[place], guess, values[place].value), 1)
    return with_indicator(pen, imputer, columns, Table(tuple(values)))


def _within(pen: Pen, value: str, low: float, high: float) -> str:
    return pen.node("Min", pen.node("Max", value, pen.number(low)), pen.number(high))
