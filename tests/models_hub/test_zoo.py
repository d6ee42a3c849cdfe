"""Every pipeline of the zoo is served right: as ONNX, or by name natively; never silently wrong."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier

from models_hub.conversion.convert import convert
from models_hub.conversion.loading import load
from models_hub.conversion.parity import compare, judge, predict
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.task import Converted
from models_hub.conversion.writers import registry
from models_hub.formats.onnx_vetting import vet
from tests.models_hub import wages

SEED = 5
TRAIN, FRESH = slice(0, wages.TRAIN), slice(wages.TRAIN, None)


def fitted(pipeline: Any, classes: int) -> Any:
    train = wages.rows()[TRAIN]
    wage = train["wage"]
    target: Any = wage
    if classes:
        labels = ["low", "mid", "high"] if classes == 3 else [0, 1]
        target = pd.qcut(wage, classes, labels=labels).astype(str if classes == 3 else int)
    return pipeline.fit(train.drop(columns="wage"), target)


def check_served(pipeline: Any, found: Converted, rows: pd.DataFrame) -> None:
    """The graph agrees on the judged rows, and on fresh ones that the conversion never saw."""
    graph = vet(found.graph()).SerializeToString()  # as the judge seals it
    predictor = load(graph, found.signature)
    judged = parity_rows(found.signature, found.spans, None, SEED)
    kept = {name: values[found.mask] for name, values in judged.items()}
    judge(compare(found.expected, predict(predictor, kept), kept))
    fresh = rows[FRESH].drop(columns="wage")
    cells = {
        field.name: [None if pd.isna(cell) else cell for cell in fresh[field.name]]
        for field in found.signature.inputs
    }
    coerced, refused = found.signature.coerce_lenient(cells)
    taken = fresh.drop(index=fresh.index[list(refused)])
    assert len(taken) >= 200
    answers = predictor.predict(coerced.columns)
    due = pipeline.predict(taken)
    if is_classifier(pipeline):
        assert answers.values.tolist() == np.ravel(due).tolist()
        if answers.probabilities is not None:
            np.testing.assert_allclose(
                answers.probabilities, pipeline.predict_proba(taken), atol=1e-5
            )
    else:
        np.testing.assert_allclose(answers.values, np.ravel(due), rtol=1e-5)


def check(name: str, pipeline: Any, classes: int) -> None:
    model = fitted(pipeline, classes)
    found = convert(model, None, "wage", SEED, lambda name, detail: None)
    if name in wages.NATIVE:
        assert found.onnx is None
        assert found.why_native is not None
        assert found.why_native.code in {"not_convertible", "parity_failed"}
        assert len(found.expected.values) == found.mask.sum() >= 2_000
        return
    assert found.why_native is None, found.why_native
    check_served(model, found, wages.rows())


@pytest.mark.parametrize("name", wages.REGRESSIONS)
def test_a_regression_on_wages_is_served_right(name: str) -> None:
    check(name, wages.REGRESSIONS[name](), 0)


@pytest.mark.parametrize("name", wages.CLASSIFICATIONS)
def test_a_classification_of_wages_is_served_right(name: str) -> None:
    check(name, wages.CLASSIFICATIONS[name](), 3)


@pytest.mark.parametrize("name", wages.TWO_CLASSES)
def test_a_choice_of_two_is_served_right(name: str) -> None:
    check(name, wages.TWO_CLASSES[name](), 2)


@pytest.mark.parametrize("name", wages.ON_CATEGORIES)
def test_a_model_of_pandas_categories_is_served_right(name: str) -> None:
    rows = wages.of_categories()
    model = wages.ON_CATEGORIES[name]()
    model.fit(rows[TRAIN].drop(columns="wage"), rows["wage"][TRAIN])
    found = convert(model, None, "wage", SEED, lambda name, detail: None)
    assert found.why_native is None, found.why_native
    check_served(model, found, rows)


def test_the_zoo_is_large_and_nearly_all_of_it_converts() -> None:
    every = [*wages.REGRESSIONS, *wages.CLASSIFICATIONS, *wages.TWO_CLASSES, *wages.ON_CATEGORIES]
    assert len(every) >= 60
    assert len(wages.NATIVE) <= 0.05 * len(every)


def test_the_docs_name_each_step_that_is_written() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "conversion.md").read_text()
    listed = text.split("## Steps that Berth writes itself")[1].split("\nOf `Function")[0]
    assert set(re.findall(r"`([\w.]+)`", listed)) == registry.written()
