"""Encoders of categories, texts or numbers.

A missing text is "" (`berth.signature.MISSING_STRING`), a missing number is NaN. What
scikit-learn's encoder does with either, and with a category it never saw, the nodes do too: each
value becomes its place among the categories, or their count if it is none of them.
"""

from itertools import zip_longest
from typing import Any

import numpy as np
from onnx import TensorProto

from berth.signature import MISSING_STRING
from models_hub.conversion.missing import is_missing
from models_hub.conversion.pen import ML, Pen
from models_hub.conversion.writers.registry import transformer
from models_hub.conversion.writers.table import Part, Table


def place(pen: Pen, part: Part, categories: Any) -> str:
    """[n, 1] int64: where the value stands among the categories; unknown: their count."""
    count = len(categories)
    if part.text:
        keys = [MISSING_STRING if is_missing(value) else str(value) for value in categories]
        return pen.node(
            "LabelEncoder", part.value, domain=ML, keys_strings=keys,
            values_int64s=list(range(count)), default_int64=count,
        )  # fmt: skip
    numbers = np.array([[np.nan if is_missing(value) else float(value) for value in categories]])
    equal = pen.apply("Equal", part.value, numbers)
    if np.isnan(numbers).any():  # NaN equals nothing: its column comes from IsNaN
        nan = pen.node("IsNaN", part.value)
        equal = pen.node("Or", equal, pen.node("And", nan, pen.constant(np.isnan(numbers))))
    weights = np.arange(count, dtype=np.float64)[:, None] - count
    hit = pen.node("MatMul", pen.double(equal), pen.number(weights))
    return pen.cast(pen.apply("Add", hit, count), TensorProto.INT64)


def looked_up(pen: Pen, place: str, values: Any) -> str:
    """[n, m] double: the row of `values` [k, m] at each place."""
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    found = pen.node("Gather", pen.number(table), place, axis=0)
    return pen.node("Reshape", found, pen.constant(np.array([-1, table.shape[1]])))


def _lights(encoder: Any, index: int) -> tuple[Any, int]:
    """Which output each category (last: unknown) lights, -1 for none; and how many there are."""
    count = len(encoder.categories_[index])
    groups = encoder._default_to_infrequent_mappings[index] if encoder._infrequent_enabled else None
    lights = np.arange(count) if groups is None else np.asarray(groups)
    rare = groups is not None and encoder.handle_unknown in ("infrequent_if_exist", "warn")
    lights = np.append(lights, lights.max() if rare else -1)
    drop = None if encoder.drop_idx_ is None else encoder.drop_idx_[index]
    if drop is None:
        return lights, int(lights.max()) + 1
    # scikit-learn stores the index among the raw categories, also where it groups some
    gone = lights[drop]
    return np.where(lights == gone, -1, lights - (lights > gone)), int(lights.max())


@transformer("OneHotEncoder")
def _one_hot(pen: Pen, encoder: Any, table: Table) -> Table:
    blocks, total = [], 0
    for index, part in enumerate(table.columns(pen)):
        lights, width = _lights(encoder, index)
        if not width:
            continue
        lit = looked_up(pen, place(pen, part, encoder.categories_[index]), lights)
        blocks.append(pen.double(pen.apply("Equal", lit, np.arange(float(width))[None, :])))
        total += width
    return Table.of(pen.joined(blocks), total, sparse=bool(encoder.sparse_output))


def _codes(encoder: Any, index: int) -> list[float]:
    """The number for each category, in order; the last is the one for unknown values."""
    categories = encoder.categories_[index]
    groups = encoder._default_to_infrequent_mappings[index] if encoder._infrequent_enabled else None
    places = range(len(categories)) if groups is None else groups  # no group for what is missing
    codes = [
        float(encoder.encoded_missing_value if is_missing(value) else code)
        for value, code in zip_longest(categories, places)
    ]
    unknown = encoder.unknown_value
    return [*codes, np.nan if unknown is None else float(unknown)]


@transformer("OrdinalEncoder")
def _ordinal(pen: Pen, encoder: Any, table: Table) -> Table:
    columns = [
        looked_up(pen, place(pen, part, encoder.categories_[index]), _codes(encoder, index))
        for index, part in enumerate(table.columns(pen))
    ]
    return Table.of(pen.joined(columns), len(columns))


@transformer("TargetEncoder")
def _target(pen: Pen, encoder: Any, table: Table) -> Table:
    classes = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    means = np.atleast_1d(np.asarray(encoder.target_mean_, dtype=float))
    blocks = []
    for index, part in enumerate(table.columns(pen)):
        known = np.column_stack(encoder.encodings_[index * classes : (index + 1) * classes])
        values = np.vstack([known, means])
        blocks.append(looked_up(pen, place(pen, part, encoder.categories_[index]), values))
    return Table.of(pen.joined(blocks), len(blocks) * classes)
