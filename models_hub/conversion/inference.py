"""The signature of an estimator, from what its steps learned and what a sample shows.

Names and order come from the training columns, choices from encoders, ranges from the sample,
missing values from imputers. What cannot be read is asked of the estimator itself: whether it
takes a missing value or a category that it never saw is tried, not guessed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from berth.field import fits
from berth.signature import MISSING_STRING, Field, FieldType, Signature
from models_hub.conversion.columns import Column
from models_hub.conversion.draw import UNSEEN, draw
from models_hub.conversion.missing import is_missing
from models_hub.formats.refusal import Refused

MAX_CHOICES = 10_000
MOST_TRIED = 50  # rows until one gets an answer
MAX_SAMPLE_CHOICES = 50  # texts in a sample, where no encoder says which there are
IMPUTERS = {"SimpleImputer", "KNNImputer", "IterativeImputer"}

Answers = Callable[[Mapping[str, Any]], bool]


def fields_of(columns: Sequence[Column], sample: pl.DataFrame | None) -> tuple[Field, ...]:
    """The fields before the estimator was asked: types, choices, ranges, imputers' defaults."""
    return tuple(_field(column, _column(sample, column.name)) for column in columns)


def _column(sample: pl.DataFrame | None, name: str) -> pl.Series | None:
    if sample is None or name not in sample.columns:
        return None
    return sample[name]


def _field(column: Column, values: pl.Series | None) -> Field:
    kind = _type(column, values)
    low, high = _range(kind, column, values)
    expects_missing = _imputer(column) is not None or _knows_missing(column)
    expects_missing = expects_missing or (values is not None and values.null_count() > 0)
    field = Field(
        column.name,
        kind,
        required=not expects_missing,
        nullable=True,
        choices=_choices(column, values),
        minimum=low,
        maximum=high,
    )
    return replace(field, default=_default(column, field))


def _type(column: Column, values: pl.Series | None) -> FieldType:
    if values is None or column.type == "string":
        return column.type
    if values.dtype == pl.Boolean:
        return "boolean" if column.type in ("number", "boolean") else column.type
    if column.type == "number" and values.dtype.is_numeric():
        known = values.drop_nulls().cast(pl.Float64).drop_nans()
        return "integer" if len(known) and bool((known == known.round()).all()) else "number"
    return column.type


def _range(
    kind: FieldType, column: Column, values: pl.Series | None
) -> tuple[float | None, float | None]:
    if kind not in ("number", "integer") or values is None or not values.dtype.is_numeric():
        return None, None
    known = values.drop_nulls().cast(pl.Float64)
    known = known.filter(known.is_finite())
    return (float(known.min()), float(known.max())) if len(known) else (None, None)  # type: ignore[arg-type]  # polars types min() as any Python literal


def _choices(column: Column, values: pl.Series | None) -> tuple[Any, ...] | None:
    if column.categories is not None:
        known = [value for value in column.categories if value != MISSING_STRING]
        return tuple(known) if 0 < len(known) <= MAX_CHOICES else None
    if column.type == "string" and values is not None:
        seen = sorted(values.drop_nulls().cast(pl.String).unique().to_list())
        return tuple(seen) if 0 < len(seen) <= MAX_SAMPLE_CHOICES else None
    return None


def _imputer(column: Column) -> tuple[Any, int] | None:
    for visit in column.visits:
        if type(visit.step).__name__ in IMPUTERS:
            return visit.step, visit.index
    return None


def _knows_missing(column: Column) -> bool:
    """Did an encoder learn "missing" as a category of its own?"""
    return any(
        any(is_missing(value) for value in visit.step.categories_[visit.index])
        for visit in column.visits
        if hasattr(visit.step, "categories_")
    )


def _default(column: Column, field: Field) -> Any:
    """What the imputer puts in, if saying it oneself makes no difference and it is a choice.

    It makes one where a step notes what was missing, where some step sees the column before any
    imputer, or where several imputers fill it differently.
    """
    first = [visit for visit in column.visits if not visit.lane.whole]
    if field.required or not first:
        return None
    if any(not hasattr(visit.step, "statistics_") or visit.step.add_indicator for visit in first):
        return None
    value = first[0].step.statistics_[first[0].index]
    others = [visit.step.statistics_[visit.index] for visit in first]
    if is_missing(value) or any(other != value for other in others):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    if field.type == "boolean":
        value = bool(value) if value in (0, 1) else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    usual = field.choices is None or value in field.choices
    fitting = value is not None and fits("number" if field.type == "integer" else field.type, value)
    return value if usual and fitting else None


def settle(
    signature: Signature, spans: Mapping[str, tuple[float, float]], answers: Answers
) -> Signature:
    """The signature after asking the estimator which values it takes.

    `answers` says whether the estimator predicts a finite value for every row of the columns.
    A field becomes nullable only if a missing value passes, and its choices are enforced if an
    unseen one does not. Raises `Refused` (`cannot_predict`) if not even ordinary rows pass.
    """
    plain = replace_fields(signature, lambda field: replace(field, nullable=False))
    strict = replace_fields(plain, _strict)
    usual = _usual(strict, spans, answers)
    holes = _passing(signature, usual, answers, _hole)
    unseen = _passing(signature, usual, answers, _stranger)
    return replace_fields(signature, lambda field: _settled(field, holes, unseen))


def _usual(
    strict: Signature, spans: Mapping[str, tuple[float, float]], answers: Answers
) -> dict[str, Any]:
    """A row that gets an answer. Raises `Refused` (`cannot_predict`)."""
    drawn = draw(strict, spans, seed=1, rows=MOST_TRIED)
    for row in range(MOST_TRIED):
        tried = {name: values[row : row + 1] for name, values in drawn.items()}
        if answers(tried):
            return tried
    raise Refused(
        "cannot_predict",
        "The model raises an error on ordinary rows, or answers no finite number. Upload a sample "
        "of real rows, or check that the saved file predicts after loading it again.",
    )


def _strict(field: Field) -> Field:
    known = {"choices"} if field.choices else set()
    ranged = {"range"} if field.minimum is not None else set()
    return replace(field, enforced=frozenset(known | ranged))


def _settled(field: Field, holes: set[str], unseen: set[str]) -> Field:
    nullable = field.name in holes
    refuses = field.choices is not None and field.name not in unseen and field.type != "boolean"
    enforced = field.enforced | ({"choices"} if refuses else set())
    default = field.default if nullable else None
    return replace(
        field,
        nullable=nullable,
        required=field.required or not nullable,
        default=default,
        enforced=frozenset(enforced),
    )


def _passing(
    signature: Signature,
    usual: Mapping[str, Any],
    answers: Answers,
    variant: Callable[[Field], Any],
) -> set[str]:
    """The fields for which the usual row still gets an answer with this variant of the value."""
    odd = {f.name: np.array([[variant(f)]], dtype=usual[f.name].dtype) for f in signature.inputs}

    def passing(names: list[str]) -> set[str]:
        if answers({**usual, **{name: odd[name] for name in names}}):
            return set(names)
        if len(names) == 1:
            return set()
        half = len(names) // 2  # halving: most of many columns are taken or refused alike
        return passing(names[:half]) | passing(names[half:])

    return passing(list(odd))


def _hole(field: Field) -> Any:
    return MISSING_STRING if field.type == "string" else np.nan


def _stranger(field: Field) -> Any:
    if field.type == "string":
        return UNSEEN
    if field.type == "boolean" or not field.choices:
        return 0.0 if field.type == "boolean" else _middle(field)
    return max(float(choice) for choice in field.choices) + 1.0


def _middle(field: Field) -> float:
    known = [bound for bound in (field.minimum, field.maximum) if bound is not None]
    return float(np.mean(known)) if known else 1.0


def replace_fields(signature: Signature, change: Callable[[Field], Field]) -> Signature:
    """The signature with each of its fields changed."""
    return Signature(tuple(map(change, signature.inputs)), signature.output)
