"""Columns in the Bundle's convention, turned into what a scikit-learn estimator was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from berth.signature import MISSING_STRING
from models_hub.conversion.columns import Column, Columns


@dataclass(frozen=True, slots=True)
class Feed:
    """Gives an estimator its own kind of input: a DataFrame if it was trained on names."""

    columns: Columns

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """`values`: per used column [n, 1]. Returns a DataFrame or an array of n rows.

        Texts become objects with NaN for "", booleans bool where none is missing, numbers float64,
        or what the steps learned from: float32, or objects. Categories of pandas are what they
        were. A column that no step looks at is filled with zeros. Where the estimator reads words,
        the one column as it is, [n].
        """
        rows = len(next(iter(values.values())))
        parts = {
            column.name: _native(column, values[column.name][:, 0])
            if column.name in values
            else np.zeros(rows)
            for column in self.columns.all
        }
        if self.columns.flat:
            return next(iter(parts.values()))
        if self.columns.named:
            return pd.DataFrame(parts)
        if any(part.dtype == object for part in parts.values()):
            return np.column_stack([part.astype(object) for part in parts.values()])
        kind = np.float32 if all(column.single for column in self.columns.all) else float
        return np.column_stack([part.astype(kind) for part in parts.values()])


def _native(column: Column, values: Any) -> Any:
    if column.type == "string":
        texts = np.array(values, dtype=object)
        texts[texts == MISSING_STRING] = np.nan
        values = texts
    if column.frame is not None:
        return pd.Categorical(values, categories=list(column.frame))
    if column.type == "string":
        return values
    truths = column.type == "boolean" and not np.isnan(values).any()
    kind = np.float32 if column.single else float
    values = values.astype(bool if truths else kind)
    return values.astype(object) if column.objects else values
