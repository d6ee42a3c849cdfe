"""Pipelines, column transformers, unions, searches and selections."""

from typing import Any

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.registry import (
    Scores,
    classifier,
    classify,
    decider,
    decisions,
    regress,
    regressor,
    transform,
    transformer,
)
from models_hub.conversion.writers.table import Table, beside

SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")


@transformer("Pipeline")
def _pipeline(pen: Pen, step: Any, table: Table) -> Table:
    for _, inner in step.steps:
        table = transform(pen, inner, table)
    return table


def _before_last(pen: Pen, step: Any, table: Table) -> Table:
    for _, inner in step.steps[:-1]:
        table = transform(pen, inner, table)
    return table


@regressor("Pipeline")
def _pipeline_regressor(pen: Pen, step: Any, table: Table) -> str:
    return regress(pen, step.steps[-1][1], _before_last(pen, step, table))


@classifier("Pipeline")
def _pipeline_classifier(pen: Pen, step: Any, table: Table) -> Scores:
    return classify(pen, step.steps[-1][1], _before_last(pen, step, table))


@decider("Pipeline")
def _pipeline_decider(pen: Pen, step: Any, table: Table) -> str:
    return decisions(pen, step.steps[-1][1], _before_last(pen, step, table))


@transformer(*SEARCHES)
def _search(pen: Pen, step: Any, table: Table) -> Table:
    return transform(pen, step.best_estimator_, table)


@regressor(*SEARCHES)
def _search_regressor(pen: Pen, step: Any, table: Table) -> str:
    return regress(pen, step.best_estimator_, table)


@classifier(*SEARCHES)
def _search_classifier(pen: Pen, step: Any, table: Table) -> Scores:
    return classify(pen, step.best_estimator_, table)


@transformer("ColumnTransformer")
def _columns(pen: Pen, step: Any, table: Table) -> Table:
    weights = step.transformer_weights or {}
    outputs = []
    for name, inner, _ in step.transformers_:
        places = step._transformer_to_input_indices[name]
        if not len(places) or (isinstance(inner, str) and inner == "drop"):
            continue
        part = transform(pen, inner, table.take(pen, places))
        outputs.append(_weighted(pen, part, weights.get(name)))
    return beside(outputs, sparse=bool(step.sparse_output_))


@transformer("FeatureUnion")
def _union(pen: Pen, step: Any, table: Table) -> Table:
    weights = step.transformer_weights or {}
    outputs = [
        _weighted(pen, transform(pen, inner, table), weights.get(name))
        for name, inner in step.transformer_list
        if not (isinstance(inner, str) and inner == "drop")
    ]
    return beside(outputs)


def _weighted(pen: Pen, table: Table, weight: float | None) -> Table:
    if weight is None:
        return table
    scaled = pen.apply("Mul", table.matrix(pen), weight)
    return Table.of(scaled, table.width, sparse=table.sparse)


@transformer(
    "SelectKBest", "SelectPercentile", "SelectFpr", "SelectFdr", "SelectFwe",
    "GenericUnivariateSelect", "SelectFromModel", "RFE", "RFECV", "VarianceThreshold",
    "SequentialFeatureSelector",
)  # fmt: skip
def _selection(pen: Pen, step: Any, table: Table) -> Table:
    return table.take(pen, step.get_support(indices=True).tolist())
