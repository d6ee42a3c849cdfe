"""Rows to compare two models on, drawn from a signature alone.

The same signature, spans and seed give the same rows in any process: the one that opened the
upload and the clean one that judges it each draw them for themselves.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from berth.signature import MISSING_STRING, Field, Signature

UNSEEN = "berth-unseen-category"
RARE = 0.04  # how often a drawn value is missing, unknown or out of range
ROWS = 2_400  # random ones: of rows that a model refuses, parity can spare some
WHOLE = 0.3  # how often a number is whole, as people's numbers are
MAX_EDGES = 60  # edge rows a field

Columns = dict[str, Any]
Spans = Mapping[str, tuple[float, float]]


def draw(signature: Signature, spans: Spans, seed: int, rows: int = ROWS) -> Columns:
    """At least `rows` rows in the Bundle's convention: random ones, then each field's edges.

    Random values lie in the field's range or among its choices, now and then just outside, unseen
    or missing, where the signature allows it. The edges are one row each: both ends of the range,
    every choice, unseen, missing, with the other fields random. `spans` are the ranges of numeric
    fields that have none in the signature.
    """
    random = np.random.default_rng(seed)
    edges = {field.name: _edges(field, spans) for field in signature.inputs}
    total = rows + sum(map(len, edges.values()))
    columns = {field.name: _values(field, spans, random, total) for field in signature.inputs}
    place = rows
    for name, values in edges.items():
        columns[name][place : place + len(values), 0] = values
        place += len(values)
    return columns


def _span(field: Field, spans: Spans) -> tuple[float, float]:
    low, high = spans.get(field.name, (0.0, 10.0))
    low = low if field.minimum is None else field.minimum
    high = high if field.maximum is None else field.maximum
    return (low, high) if low <= high else (high, low)


def _values(field: Field, spans: Spans, random: np.random.Generator, count: int) -> Any:
    values: Any
    if field.choices:
        picked = random.integers(0, len(field.choices), count)
        values = np.array(_encoded(field), dtype=_dtype(field))[picked]
    elif field.type == "boolean":
        values = random.integers(0, 2, count).astype(float)
    elif field.type == "string":
        values = np.array([UNSEEN] * count, dtype=object)
    else:
        values = _numbers(field, spans, random, count)
    rare = random.random((2, count)) < RARE
    if field.choices and "choices" not in field.enforced and field.type != "boolean":
        values[rare[0]] = _unseen(field)
    if field.nullable:
        values[rare[1]] = _missing(field)
    return values[:, None]


def _numbers(field: Field, spans: Spans, random: np.random.Generator, count: int) -> Any:
    low, high = _span(field, spans)
    values = random.uniform(low, high, count)
    if "range" not in field.enforced:
        outside = random.random(count) < RARE
        values[outside] += random.choice([-0.1, 0.1], outside.sum()) * (high - low)
    whole = field.type == "integer" or random.random(count) < WHOLE
    return np.where(whole, np.rint(values), values)


def _edges(field: Field, spans: Spans) -> list[Any]:
    if field.choices:
        edges = _encoded(field)[:MAX_EDGES]
        if "choices" not in field.enforced and field.type != "boolean":
            edges.append(_unseen(field))
    elif field.type == "boolean":
        edges = [0.0, 1.0]
    elif field.type == "string":
        edges = [UNSEEN]
    else:
        edges = list(_span(field, spans))
        edges = [float(np.rint(edge)) for edge in edges] if field.type == "integer" else edges
    return [*edges, _missing(field)] if field.nullable else edges


def _encoded(field: Field) -> list[Any]:
    choices = field.choices or ()
    return [str(choice) if field.type == "string" else float(choice) for choice in choices]


def _dtype(field: Field) -> Any:
    return object if field.type == "string" else float


def _missing(field: Field) -> Any:
    return MISSING_STRING if field.type == "string" else np.nan


def _unseen(field: Field) -> Any:
    return UNSEEN if field.type == "string" else max(_encoded(field)) + 1.0
