"""The columns that a fitted estimator wants, before anything is known about their values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from berth.signature import FieldType
from models_hub.conversion.frames import frame_categories
from models_hub.conversion.missing import is_missing
from models_hub.conversion.trace import WRAPPED, Visit, is_catboost, trace
from models_hub.formats.refusal import Refused

#: What takes a list of texts, not a table.
WORDS = {"CountVectorizer", "TfidfVectorizer", "HashingVectorizer"}
#: What steps keep in the precision of the rows that they were fitted on.
LEARNED = ("_fit_X", "center_", "coef_", "components_", "lambdas_", "scale_")


@dataclass(frozen=True, slots=True)
class Column:
    """One input column of an estimator.

    `type` is "string" where an encoder or an imputer learned texts, "boolean" and "integer" where
    an encoder learned such categories, else "number". `categories` are those of its first
    encoder, missing ones left out. `span` is where its values lie, if that is known without steps.
    `frame`: the categories with which it must be a pandas column of categories. `objects`: an
    encoder learned numbers from a matrix of objects, as booleans beside floats make one, and knows
    them in no other. `single`: steps learned from numbers of 32 bits, and compute with such.
    """

    name: str
    type: FieldType
    visits: tuple[Visit, ...]
    categories: tuple[Any, ...] | None
    span: tuple[float, float] | None = None
    frame: tuple[Any, ...] | None = None
    objects: bool = False
    single: bool = False

    @property
    def is_used(self) -> bool:
        """Does any step look at it?"""
        return bool(self.visits)


@dataclass(frozen=True, slots=True)
class Columns:
    """All columns in the order of training; `named` if the training data had names, `flat` if they
    were a list of texts."""

    all: tuple[Column, ...]
    named: bool
    flat: bool = False

    @property
    def used(self) -> tuple[Column, ...]:
        """Those that some step looks at: the model's inputs."""
        return tuple(column for column in self.all if column.is_used)


def columns_of(estimator: Any, sample_names: Sequence[str] | None) -> Columns:
    """What the estimator says about its input columns.

    Without names in the estimator the sample's are taken if their number fits, else f0, f1, …
    Raises `Refused` (`not_fitted`) when it does not even know how many there are.
    """
    names = _feature_names(estimator)
    named = names is not None
    first = _outside_in(estimator)[-1]
    flat = names is None and type(first).__name__ in WORDS
    if names is None:
        count = 1 if flat else _width(estimator)
        fits = sample_names is not None and len(sample_names) == count
        names = list(sample_names or ()) if fits else [f"f{i}" for i in range(count)]
    if len(set(names)) != len(names) or any(not name.strip() for name in names):
        raise Refused("columns_unusable", "Two columns have the same name, or one has none.")
    visits = trace(estimator, names)
    objects = any(_learned_objects(visit) for found in visits.values() for visit in found)
    columns = [_column(name, visits.get(name, []), objects=objects) for name in names]
    if not named and any(column.single for column in columns):  # one array is of one kind
        columns = [replace(column, single=True) for column in columns]
    return Columns(tuple(columns), named, flat)


def _feature_names(estimator: Any) -> list[str] | None:
    for part in _outside_in(estimator):
        names = getattr(part, "feature_names_in_", None)
        if names is None and is_catboost(part):
            names = _named_by_catboost(part)
        if names is not None:
            return [str(name) for name in names]
    return None


def _named_by_catboost(model: Any) -> list[str] | None:
    """CatBoost counts the columns of an array and calls them so."""
    names = list(model.feature_names_)
    return None if names == [str(place) for place in range(len(names))] else names


def _width(estimator: Any) -> int:
    for part in _outside_in(estimator):
        width = len(part.feature_names_) if is_catboost(part) else None
        width = getattr(part, "n_features_in_", None) if width is None else width
        if width is not None:
            return int(width)
    if hasattr(_outside_in(estimator)[-1], "X_thresholds_"):  # an IsotonicRegression
        return 1
    raise Refused("not_fitted", "The estimator is not fitted: call fit before you save it.")


def _outside_in(estimator: Any) -> list[Any]:
    """The estimator and what it wraps, down to a pipeline's first step."""
    chain = [estimator]
    while True:
        part = chain[-1]
        wrapped = next((name for name in WRAPPED if hasattr(part, name)), None)
        if wrapped is not None:
            chain.append(getattr(part, wrapped))
        elif isinstance(getattr(part, "estimators_", None), list) and part.estimators_:
            chain.append(part.estimators_[0])
        elif hasattr(part, "steps"):
            chain.append(part.steps[0][1])
        else:
            return chain


def _column(name: str, visits: Sequence[Visit], *, objects: bool) -> Column:
    """`objects`: some encoder learned numbers as objects, from this column or one beside it."""
    raw = next((known for known in map(_categories, visits) if known is not None), None)
    known = None if raw is None else tuple(_plain(v) for v in raw if not is_missing(v))
    kind: FieldType = _type_of(name, known) if known else "number"
    if known is None and any(_reads_text(visit) for visit in visits):
        kind = "string"
    frames = (frame_categories(visit.step).get(visit.index) for visit in visits)
    frame = next((tuple(found) for found in frames if found is not None), None)
    loose = objects and kind != "string" and all(map(_takes_objects, visits))
    single = kind != "string" and any(map(_learned_singles, visits))
    return Column(name, kind, tuple(visits), known, frame=frame, objects=loose, single=single)


def _categories(visit: Visit) -> Any:
    """The values that the step learned for the column as it came in, or None."""
    if not visit.lane.linear or visit.lane.scale != 1.0:
        return None
    known = getattr(visit.step, "categories_", None)
    return frame_categories(visit.step).get(visit.index) if known is None else known[visit.index]


def _learned_objects(visit: Visit) -> bool:
    """Did an encoder learn numbers as objects?"""
    every = getattr(visit.step, "categories_", None)
    if every is None:
        return False
    known = every[visit.index]
    return bool(known.dtype == object and len(known) and not isinstance(known[0], str))


def _learned_singles(visit: Visit) -> bool:
    """Did the step keep what it learned of the column in 32 bits? Scalers and imputers before it
    hand on the precision that they are given."""
    kept = getattr(visit.step, "__dict__", {})
    if not visit.lane.linear:
        return False
    if "categories_" in kept:
        return bool(kept["categories_"][visit.index].dtype == np.float32)
    found = [getattr(kept.get(name), "dtype", None) for name in LEARNED]
    return np.float32 in [kept.get("_fit_dtype"), *found]


def _takes_objects(visit: Visit) -> bool:
    """Is it passed through, encoded, or made a number before anything is done to it? The last is
    what HistGradientBoosting does with the columns beside its categories."""
    step = visit.step
    if type(step).__name__ == "FunctionTransformer":
        return step.func is None or isinstance(step.func, partial)
    return isinstance(step, str) or hasattr(step, "categories_")


def _plain(value: Any) -> Any:
    """A numpy scalar as a Python one; whole floats as int: pandas has floats where values miss."""
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _type_of(name: str, categories: Sequence[Any]) -> FieldType:
    kinds = {type(value) for value in categories}
    if kinds == {str}:
        return "string"
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "integer"
    if kinds <= {int, float}:
        return "number"
    raise Refused(
        "columns_unusable",
        f"The encoder of {name[:80]!r} learned values of several kinds (texts beside numbers): "
        "make them all texts before you fit.",
    )


def _reads_text(visit: Visit) -> bool:
    """Did the step learn words from the column, or a text to put in?"""
    step, name = visit.step, type(visit.step).__name__
    if name == "SimpleImputer":
        return isinstance(step.statistics_[visit.index], str)
    if is_catboost(step):
        return visit.index in (*step._get_cat_feature_indices(), *step._get_text_feature_indices())
    return name in WORDS
