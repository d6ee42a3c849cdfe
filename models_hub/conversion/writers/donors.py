"""KNNImputer: what is missing comes from the training rows that are nearest by what is there.

https://scikit-learn.org/stable/modules/generated/sklearn.metrics.pairwise.nan_euclidean_distances.html
"""

from typing import Any

import numpy as np
from sklearn.metrics import pairwise

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.imputing import mask_of, with_indicator
from models_hub.conversion.writers.kernels import MOST_COLUMNS, MOST_POINTS
from models_hub.conversion.writers.neighbours import ASKED, nearness, ties
from models_hub.conversion.writers.registry import transformer
from models_hub.conversion.writers.table import Part, Table

FAR = 1e300  # stands for no distance at all: the two rows know no column in common


@transformer("KNNImputer")
def _imputer(pen: Pen, imputer: Any, table: Table) -> Table:
    if imputer.metric != "nan_euclidean" or imputer.weights not in ("uniform", "distance"):
        raise NotImplementedError("KNNImputer with a function as metric or weights")
    if table.width > MOST_COLUMNS or len(imputer._fit_X) > MOST_POINTS:
        raise NotImplementedError(f"KNNImputer of more than {MOST_POINTS} rows")
    if any(map(_ties, [imputer] * table.width, range(table.width))):
        raise NotImplementedError("KNNImputer whose training rows lie equally far from others")
    columns = table.columns(pen)
    masks = [mask_of(pen, part, imputer.missing_values) for part in columns]
    away, filled = _distances(pen, imputer, columns, masks), []
    for place, (part, mask) in enumerate(zip(columns, masks, strict=True)):
        if imputer._valid_mask[place]:
            guess = _donated(pen, imputer, away, place)
            filled.append(Part(pen.where(mask, guess, part.value), 1))
        elif imputer.keep_empty_features:
            filled.append(Part(pen.where(mask, 0.0, pen.number([[0.0]])), 1))
    return with_indicator(pen, imputer, columns, Table(tuple(filled)))


def _distances(pen: Pen, imputer: Any, columns: list[Part], masks: list[str]) -> str:
    """[n, m]: the root of the mean squared difference over the columns that both rows know,
    times the number of columns; `FAR` where they know none in common."""
    known = ~imputer._mask_fit_X
    rows = np.where(known, imputer._fit_X, 0.0)
    total, shared = "", ""
    for place, (part, mask) in enumerate(zip(columns, masks, strict=True)):
        both = pen.where(mask, 0.0, pen.number(known[None, :, place]))
        gap = pen.apply("Sub", pen.where(mask, 0.0, part.value), rows[None, :, place])
        term = pen.node("Mul", pen.node("Mul", gap, gap), both)
        total = pen.node("Add", total, term) if total else term
        shared = pen.node("Add", shared, both) if shared else both
    some = pen.apply("Greater", shared, 0.0)
    mean = pen.node("Div", total, pen.where(some, shared, 1.0))
    return pen.where(some, pen.node("Sqrt", pen.apply("Mul", mean, float(len(columns)))), FAR)


def _donated(pen: Pen, imputer: Any, away: str, place: int) -> str:
    """[n, 1]: what the nearest rows that know the column have there, or else its mean."""
    donors = np.flatnonzero(~imputer._mask_fit_X[:, place])
    values = imputer._fit_X[donors, place].astype(float)
    count = pen.constant(np.array([min(imputer.n_neighbors, len(donors))]))
    near, places = pen.name("near"), pen.name("places")
    pen.several("TopK", [pen.gather(away, donors), count], [near, places], largest=0)
    weights = pen.double(pen.apply("Less", near, FAR))
    if imputer.weights == "distance":
        weights = pen.node("Mul", weights, nearness(pen, near))
    given = pen.node("Gather", pen.number(values), places, axis=0)
    total = pen.total(weights)
    none = pen.apply("Equal", total, 0.0)
    mean = pen.node("Div", pen.total(pen.node("Mul", given, weights)), pen.where(none, 1.0, total))
    return pen.where(none, float(values.mean()), mean)


def _ties(imputer: Any, place: int) -> bool:
    """Would the choice among donors of a column depend on more than distances?

    Tried with training rows as if they lacked it: there the last donor chosen and the first one
    left out must differ in distance, or else in nothing.
    """
    donors = np.flatnonzero(~imputer._mask_fit_X[:, place])
    if not len(donors):
        return False
    tried = donors[:: -(-len(donors) // ASKED)]
    lacking = np.where(imputer._mask_fit_X, np.nan, imputer._fit_X).astype(float)
    lacking[:, place] = np.nan
    away = pairwise.nan_euclidean_distances(lacking[tried], lacking[donors])
    away[donors[None, :] == tried[:, None]] = np.nan
    away = np.where(np.isnan(away), np.inf, away)
    return ties(away, imputer.n_neighbors, imputer._fit_X[donors, place])
