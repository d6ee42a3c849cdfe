"""Missing values as scikit-learn's fitted steps keep them."""

from typing import Any

import numpy as np


def is_missing(value: Any) -> bool:
    """None or NaN, as scikit-learn's encoders keep them in `categories_`."""
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


def kept(imputer: Any) -> list[int]:
    """The columns that come out: one without any value at fit time is dropped by default."""
    return [
        index
        for index, statistic in enumerate(imputer.statistics_)
        if imputer.keep_empty_features or not is_missing(statistic)
    ]
