"""Which function writes which fitted step, and asking for one.

Steps are known by their library and class name: no library needs to be imported to register.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from sklearn.utils import get_tags

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers import stock
from models_hub.conversion.writers.table import Table


@dataclass(frozen=True, slots=True)
class Scores:
    """What a classifier says: `chances` [n, k], and `label` [n] as a place among its classes where
    that is not simply the likeliest. `chances` is None for one without probabilities."""

    chances: str | None
    place: str | None = None


Transform = Callable[[Pen, Any, Table], Table]
Regress = Callable[[Pen, Any, Table], str]
Classify = Callable[[Pen, Any, Table], Scores]
W = TypeVar("W")
#: Steps that take any number, or that leave the check to those inside them.
UNCHECKED = {
    "FunctionTransformer", "Pipeline", "ColumnTransformer", "FeatureUnion",
    "TransformedTargetRegressor", "GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV",
    "HalvingRandomSearchCV", "FixedThresholdClassifier", "TunedThresholdClassifierCV",
    "CalibratedClassifierCV", "OneVsRestClassifier", "VotingRegressor", "VotingClassifier",
    "StackingRegressor", "StackingClassifier",
}  # fmt: skip

_TRANSFORMERS: dict[str, Transform] = {}
_REGRESSORS: dict[str, Regress] = {}
_CLASSIFIERS: dict[str, Classify] = {}
_DECIDERS: dict[str, Regress] = {}


def kind(step: Any) -> str:
    """A step's name here: its class, with the library in front where it is not scikit-learn."""
    library, name = type(step).__module__.partition(".")[0], type(step).__name__
    return name if library == "sklearn" else f"{library}.{name}"


def transformer(*kinds: str) -> Callable[[Transform], Transform]:
    """Registers what gives a Table for a Table."""
    return lambda write: _register(_TRANSFORMERS, kinds, write)


def regressor(*kinds: str) -> Callable[[Regress], Regress]:
    """Registers what gives the name of a prediction [n, 1]."""
    return lambda write: _register(_REGRESSORS, kinds, write)


def classifier(*kinds: str) -> Callable[[Classify], Classify]:
    """Registers what gives Scores."""
    return lambda write: _register(_CLASSIFIERS, kinds, write)


def decider(*kinds: str) -> Callable[[Regress], Regress]:
    """Registers what gives a classifier's decision function: [n, 1] for two classes, or [n, k]."""
    return lambda write: _register(_DECIDERS, kinds, write)


def _register(book: dict[str, W], kinds: tuple[str, ...], write: W) -> W:
    book.update(dict.fromkeys(kinds, write))
    return write


def written() -> set[str]:
    """The names of all steps that are registered."""
    return {*_TRANSFORMERS, *_REGRESSORS, *_CLASSIFIERS}


def transform(pen: Pen, step: Any, table: Table) -> Table:
    """Write a transformer. Raises NotImplementedError, or what skl2onnx raises."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return table
    _guard(pen, step, table)
    write = _TRANSFORMERS.get(kind(step), stock.transform)
    return write(pen, step, table)


def regress(pen: Pen, model: Any, table: Table) -> str:
    """Write a regressor: its prediction [n, 1]. Raises as `transform`."""
    _guard(pen, model, table)
    return _REGRESSORS.get(kind(model), stock.regress)(pen, model, table)


def _guard(pen: Pen, step: Any, table: Table) -> None:
    """Note which rows the step refuses for a value that is no finite number, as scikit-learn's
    own check of its input does, if the pen notes refusals."""
    numbers = Table(tuple(part for part in table.parts if not part.text))
    if pen.refusals is None or not numbers.parts or kind(step) in UNCHECKED:
        return
    value = numbers.matrix(pen)
    if get_tags(step).input_tags.allow_nan:
        value = pen.where(pen.node("IsNaN", value), 0.0, value)
    pen.refusals.append(pen.total(pen.apply("Mul", value, 0.0)))


def classify(pen: Pen, model: Any, table: Table) -> Scores:
    """Write a classifier. Raises as `transform`."""
    _guard(pen, model, table)
    if kind(model) in _CLASSIFIERS:
        return _CLASSIFIERS[kind(model)](pen, model, table)
    if not hasattr(model, "predict_proba"):
        raise NotImplementedError(f"the classifier {type(model).__name__}")
    return Scores(stock.chances(pen, model, table))


def chances(pen: Pen, model: Any, table: Table) -> str:
    """A classifier's probabilities [n, k], in the order of its `classes_`."""
    found = classify(pen, model, table).chances
    if found is None:
        raise NotImplementedError(f"{type(model).__name__} without probabilities")
    return found


def decides(model: Any) -> bool:
    """Does the classifier have a decision function, which scikit-learn often asks first?"""
    return hasattr(model, "decision_function")


def writes_decisions(model: Any) -> bool:
    """Can `decisions` write it?"""
    last = model.steps[-1][1] if kind(model) == "Pipeline" else model
    return kind(last) in _DECIDERS


def decisions(pen: Pen, model: Any, table: Table) -> str:
    """A classifier's decision function: [n, 1] for two classes, else [n, k]."""
    if kind(model) not in _DECIDERS:
        raise NotImplementedError(f"the decision function of {type(model).__name__}")
    return _DECIDERS[kind(model)](pen, model, table)


def place_of(pen: Pen, scores: Scores) -> str:
    """[n] int64: where a classifier's answer stands among its classes."""
    if scores.place is not None:
        return scores.place
    assert scores.chances is not None
    return pen.node("ArgMax", scores.chances, axis=1, keepdims=0)


def labels_of(classes: Any) -> Any:
    """Classes as ONNX can give them: texts, or whole numbers (booleans become 0 and 1)."""
    if classes.dtype.kind in "OUS" and all(isinstance(label, str) for label in classes):
        return classes.astype(object)
    whole = classes.astype(np.int64)
    if (whole != classes).any():
        raise NotImplementedError("class labels that are neither texts nor whole numbers")
    return whole
