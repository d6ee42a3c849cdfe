"""A pipeline becomes ONNX that answers as the pipeline does, or it is refused."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.decomposition import NMF
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
)

from berth.signature import Field, Output, Signature
from models_hub.conversion.adopt import adopt
from models_hub.conversion.answers import Answers
from models_hub.conversion.convert import convert
from models_hub.conversion.draw import UNSEEN, draw
from models_hub.conversion.loading import load
from models_hub.conversion.original import original_of
from models_hub.conversion.parity import Parity, compare, judge, latency_ms, predict
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.sample import Sample, read_sample
from models_hub.conversion.task import Converted
from models_hub.formats import Refused
from models_hub.formats.onnx_vetting import vet
from tests.models_hub import zoo

SEED = 11


def quiet(name: str, detail: str) -> None:
    """Nobody listens to the stages here."""


def sample_of(frame: pd.DataFrame, target: str) -> Sample:
    columns = {
        name: [None if pd.isna(v) else v for v in frame[name].tolist()] for name in frame.columns
    }
    rows = pl.DataFrame(columns)
    return Sample(rows.drop(target), rows[target])


def judged(converted: Converted, sample: Sample | None = None) -> Parity:
    rows = parity_rows(
        converted.signature, converted.spans, None if sample is None else sample.rows, SEED
    )
    kept = {name: values[converted.mask] for name, values in rows.items()}
    got = predict(load(converted.graph(), converted.signature), kept)
    parity = compare(converted.expected, got, kept)
    judge(parity)
    return parity


def converted(estimator: Any, sample: Sample | None = None, target: str | None = None) -> Converted:
    return convert(estimator, sample, target, SEED, quiet)


def field(found: Converted, name: str) -> Field:
    return next(item for item in found.signature.inputs if item.name == name)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return zoo.people()


@pytest.mark.parametrize("name", zoo.REGRESSIONS)
def test_a_regression_converts_and_every_row_agrees(name: str, people: pd.DataFrame) -> None:
    pipeline = zoo.REGRESSIONS[name]().fit(people.drop(columns="wage"), people["wage"])
    parity = judged(converted(pipeline))
    assert parity.rows >= 2_000
    assert parity.max_relative_error <= 1e-5


@pytest.mark.parametrize(
    ("name", "target"),
    # scikit-learn has the exponential loss for two classes only
    sorted(set(product(zoo.CLASSIFICATIONS, zoo.TARGETS)) - {("exponential boosting", "three")}),
)
def test_a_classification_converts_and_every_row_agrees(
    name: str, target: str, people: pd.DataFrame
) -> None:
    labels = zoo.TARGETS[target](people["wage"])
    pipeline = zoo.CLASSIFICATIONS[name]().fit(people.drop(columns="wage"), labels)
    found = converted(pipeline)
    assert judged(found).rows >= 2_000
    assert set(found.signature.output.labels or ()) == set(np.asarray(labels).tolist())


def test_fresh_rows_through_the_predictor_equal_the_pipelines_own(people: pd.DataFrame) -> None:
    rows = people.drop(columns="wage")
    pipeline = zoo.usual(zoo.boost()).fit(rows, people["wage"])
    found = converted(pipeline)
    fresh = rows.sample(100, random_state=5).assign(education=lambda frame: frame.education + 0.25)
    names = [item.name for item in found.signature.inputs]
    instances = [
        {name: None if pd.isna(row[name]) else row[name] for name in names}
        for row in fresh.to_dict("records")
    ]
    answers = load(found.graph(), found.signature).predict(
        found.signature.coerce(instances).columns
    )
    np.testing.assert_allclose(answers.values, pipeline.predict(fresh), rtol=1e-6)


def test_the_signature_comes_from_the_steps_and_the_sample(people: pd.DataFrame) -> None:
    pipeline = zoo.REGRESSIONS["hot numbers and booleans"]().fit(
        people.drop(columns="wage"), people["wage"]
    )
    found = converted(pipeline, sample_of(people, "wage"), "wage")
    assert found.signature.output == Output("wage", "regression")
    assert [(item.name, item.type) for item in found.signature.inputs] == [
        ("education", "integer"),
        ("experience", "number"),
        ("remote", "boolean"),
        ("grade", "integer"),
    ]
    education, grade = field(found, "education"), field(found, "grade")
    assert (education.minimum, education.maximum) == (8.0, 20.0)
    assert grade.choices == (1, 2, 3, 4, 5)
    assert "integer" not in education.enforced


def test_a_column_with_an_imputer_may_be_left_out_and_defaults_to_its_statistic(
    people: pd.DataFrame,
) -> None:
    pipeline = zoo.usual(Ridge()).fit(people.drop(columns="wage"), people["wage"])
    experience = field(converted(pipeline), "experience")
    assert experience.nullable
    assert not experience.required
    assert experience.default == pytest.approx(people["experience"].median())


def test_choices_are_found_behind_an_imputer_and_enforced_where_the_encoder_refuses(
    people: pd.DataFrame,
) -> None:
    strict = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    pipeline = make_pipeline(
        zoo.table((strict, ["level"]), (zoo.texts(), ["city"])), LinearRegression()
    ).fit(people.drop(columns="wage"), people["wage"])
    found = converted(pipeline)
    assert field(found, "level").choices == ("junior", "lead", "senior")
    assert field(found, "level").enforced == {"choices"}
    assert field(found, "city").enforced == frozenset()


def test_a_missing_value_is_refused_where_the_pipeline_refuses_it(people: pd.DataFrame) -> None:
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit(
        people[["education", "grade"]], people["wage"]
    )
    assert not field(converted(pipeline), "education").nullable


def test_columns_that_no_step_looks_at_are_no_inputs(people: pd.DataFrame) -> None:
    pipeline = zoo.usual(Ridge()).fit(people.drop(columns="wage"), people["wage"])
    names = [item.name for item in converted(pipeline).signature.inputs]
    assert names == ["education", "experience", "city", "level"]


def test_a_pipeline_trained_on_an_array_takes_the_samples_names(people: pd.DataFrame) -> None:
    numbers = people[["education", "grade", "wage"]]
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit(
        numbers[["education", "grade"]].to_numpy(), numbers["wage"]
    )
    sample = sample_of(numbers, "wage")
    bare, named = converted(pipeline), converted(pipeline, sample, "wage")
    assert [item.name for item in bare.signature.inputs] == ["f0", "f1"]
    assert [item.name for item in named.signature.inputs] == ["education", "grade"]
    assert judged(named, sample).rows > 1000


def test_names_with_spaces_and_names_of_outputs_are_kept(people: pd.DataFrame) -> None:
    frame = people[["education", "grade", "level"]].set_axis(
        ["Years of education", "prediction", "label"], axis=1
    )
    numbers = ["Years of education", "prediction"]
    pipeline = make_pipeline(
        zoo.table((StandardScaler(), numbers), (zoo.hot(), ["label"])), Ridge()
    ).fit(frame, people["wage"])
    assert judged(converted(pipeline)).mismatches == 0


@pytest.mark.skipif(not zoo.CPS.exists(), reason=f"needs {zoo.CPS.name} beside the project")
def test_the_pipeline_on_real_wages_agrees_on_every_row_of_the_data() -> None:
    rows, _, pipeline = zoo.real_wages()
    found = converted(pipeline, read_sample(zoo.CPS, "wage"), "wage")
    columns = found.signature.coerce_columns(
        {str(name): rows[name].tolist() for name in rows}
    ).columns
    answers = load(found.graph(), found.signature).predict(columns)
    np.testing.assert_allclose(answers.values, pipeline.predict(rows), rtol=1e-5)
    assert judged(found, read_sample(zoo.CPS, "wage")).rows > 4000


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (lambda: make_pipeline(NMF(1), Ridge()), "not_convertible"),
        (lambda: make_pipeline(FunctionTransformer(np.sinc), Ridge()), "not_convertible"),
        (lambda: StandardScaler(), "not_a_predictor"),
    ],
)
def test_it_refuses_what_has_no_counterpart(model: Any, code: str, people: pd.DataFrame) -> None:
    fitted = model().fit(people[["education", "grade"]], people["wage"])
    with pytest.raises(Refused) as refusal:
        converted(fitted).graph()
    assert refusal.value.code == code


def test_a_classifier_without_probabilities_answers_with_labels_alone(
    people: pd.DataFrame,
) -> None:
    rows = people[["education", "grade"]]
    fitted = RidgeClassifier().fit(rows, people["remote"])
    found = converted(fitted)
    assert judged(found).mismatches == 0
    columns = {str(name): rows[[name]].to_numpy(float) for name in rows}
    answers = load(found.graph(), found.signature).predict(columns)
    assert answers.probabilities is None
    assert answers.values.tolist() == fitted.predict(rows).tolist()


def test_it_refuses_an_estimator_that_is_not_fitted() -> None:
    with pytest.raises(Refused) as refusal:
        converted(clone(Ridge()))
    assert refusal.value.code == "not_fitted"


GAPPED = np.random.default_rng(8).normal(50, 10, (500, 4)).cumsum(axis=1)
GAPPED[np.random.default_rng(9).random(GAPPED.shape) < 0.2] = np.nan


@pytest.mark.parametrize(
    "imputer",
    [
        KNNImputer(),
        KNNImputer(weights="distance", add_indicator=True),
        KNNImputer(n_neighbors=3, keep_empty_features=True),
        KNNImputer(n_neighbors=1_000),
        KNNImputer(missing_values=-1),
    ],
)
def test_a_missing_value_is_taken_from_the_nearest_rows(imputer: KNNImputer) -> None:
    rows = np.column_stack([GAPPED, np.full(len(GAPPED), np.nan)])
    rows = rows if np.isnan(imputer.missing_values) else np.nan_to_num(rows, nan=-1)
    model = make_pipeline(imputer, Ridge()).fit(rows, np.nansum(rows, axis=1))
    assert judged(converted(model)).mismatches == 0


def test_nearest_rows_that_lie_equally_far_are_left_to_the_model_itself(
    people: pd.DataFrame,
) -> None:
    numbers = people[["education", "experience", "grade"]]
    found = converted(make_pipeline(KNNImputer(), Ridge()).fit(numbers, people["wage"]))
    assert found.onnx is None
    assert found.why_native is not None
    assert "equally far" in found.why_native.detail


@pytest.mark.parametrize(
    "steps",
    [
        (SplineTransformer(extrapolation="error"), LinearRegression()),
        (PowerTransformer(method="box-cox"), LinearRegression()),
        (FunctionTransformer(np.log), GradientBoostingRegressor(n_estimators=5)),
        (FunctionTransformer(np.sqrt), StandardScaler(), KNeighborsRegressor(1)),
    ],
)
def test_a_row_that_the_pipeline_refuses_is_refused_by_the_graph(steps: Any) -> None:
    pay = pd.DataFrame({"pay": np.random.default_rng(2).uniform(10, 5_000, 300)})
    model = make_pipeline(*steps).fit(pay, pay["pay"] ** 0.7)
    found = converted(model, sample_of(pay.assign(wage=0), "wage"))
    assert not found.mask.all()
    assert found.mask.sum() >= 2_000
    assert found.why_native is None
    graph = load(found.graph(), found.signature)
    answers = predict(graph, {"pay": np.array([[-3.0], [500.0]])})
    assert np.isnan(answers.values).tolist() == [True, False]


def test_a_graph_that_answers_what_the_pipeline_refuses_is_not_used() -> None:
    """Labels alone can't say that there is none."""
    pay = pd.DataFrame({"pay": np.random.default_rng(2).uniform(10, 5_000, 300)})
    model = make_pipeline(FunctionTransformer(np.log), RidgeClassifier())
    found = converted(model.fit(pay, pay["pay"] > 1_000), sample_of(pay.assign(wage=0), "wage"))
    assert not found.mask.all()
    assert found.onnx is None
    assert found.why_native is not None
    assert "refuses itself" in found.why_native.detail


def test_a_pipeline_that_refuses_most_rows_asks_for_a_sample() -> None:
    """Without one nothing tells that its column holds shares."""
    shares = np.random.default_rng(2).uniform(0.01, 0.99, (300, 1))
    model = make_pipeline(FunctionTransformer(np.arcsin), Ridge()).fit(shares, shares[:, 0])
    with pytest.raises(Refused, match="Upload a sample") as refusal:
        converted(model)
    assert refusal.value.code == "parity_too_few_rows"
    frame = pd.DataFrame(shares, columns=["share"]).assign(y=0)
    assert converted(model, sample_of(frame, "y")).mask.sum() >= 2_000


def test_one_differing_row_fails_parity_with_its_figures() -> None:
    expected = Answers(np.linspace(100.0, 200.0, 2_000))
    got = expected.values.copy()
    got[17] *= 1 + 3e-5
    parity = compare(expected, Answers(got), {"place": np.arange(2_000.0)[:, None]})
    with pytest.raises(Refused) as refusal:
        judge(parity)
    assert refusal.value.code == "parity_failed"
    figures: Any = refusal.value.figures["parity"]
    assert figures["mismatches"] == 1
    assert figures["max_relative_error"] == pytest.approx(3e-5, rel=1e-3)
    assert figures["worst"][0] == {
        "input": {"place": 17.0},
        "expected": expected.values[17],
        "got": got[17],
        "error": pytest.approx(3e-5, rel=1e-3),
    }
    assert len(figures["worst"]) == 5


def test_drawn_rows_reach_edges_choices_and_missing_values_and_repeat_by_seed() -> None:
    inputs = (
        Field("pay", "number", nullable=True, minimum=1.0, maximum=9.0),
        Field("city", "string", choices=("a", "b")),
        Field("level", "string", choices=("x", "y"), enforced=frozenset({"choices"})),
    )
    signature = Signature(inputs, Output("y", "regression"))
    rows, again = draw(signature, {}, 5), draw(signature, {}, 5)
    pay = rows["pay"][:, 0]
    assert {1.0, 9.0} <= set(pay[~np.isnan(pay)])
    assert np.isnan(pay).any()
    assert set(rows["city"][:, 0]) == {"a", "b", UNSEEN}
    assert set(rows["level"][:, 0]) == {"x", "y"}
    assert all((rows[name].astype(str) == again[name].astype(str)).all() for name in rows)


def test_latency_of_one_row_is_measured(people: pd.DataFrame) -> None:
    pipeline = zoo.usual(Ridge()).fit(people.drop(columns="wage"), people["wage"])
    found = converted(pipeline)
    rows = draw(found.signature, found.spans, SEED)
    assert 0 < latency_ms(load(found.graph(), found.signature), found.signature, rows) < 50


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_sample_is_read_as_plain_columns(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "y"], "c": [True, False, True]})
    frame.write_csv(path) if ending == "csv" else frame.write_parquet(path)
    sample = read_sample(path, "a")
    assert sample.names == ["b", "c"]
    assert sample.rows["c"].dtype == pl.Boolean
    assert sample.target is not None
    assert sample.target.to_list() == [1, 2, None]


def test_a_sample_without_the_target_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(Refused, match="wage"):
        read_sample(path, "wage")


def test_a_sample_that_lacks_a_column_is_refused_by_name(people: pd.DataFrame) -> None:
    pipeline = zoo.usual(Ridge()).fit(people.drop(columns="wage"), people["wage"])
    with pytest.raises(Refused, match="level") as refusal:
        converted(pipeline, sample_of(people[["education", "experience", "city"]], "city"))
    assert refusal.value.code == "sample_lacks_columns"


def test_codes_that_a_sample_shows_as_numbers_stay_texts(people: pd.DataFrame) -> None:
    coded = people[["education", "wage"]].assign(office=people["grade"].astype(str))
    pipeline = make_pipeline(
        zoo.table((StandardScaler(), ["education"]), (zoo.hot(), ["office"])), Ridge()
    ).fit(coded[["education", "office"]], coded["wage"])
    sample = sample_of(people[["education", "wage"]].assign(office=people["grade"]), "wage")
    found = converted(pipeline, sample, "wage")
    assert field(found, "office").choices == ("1", "2", "3", "4", "5")
    assert judged(found, sample).rows > 1_000


def graph_of(pipeline: Any, initial: Any, **options: Any) -> Any:
    from skl2onnx import convert_sklearn

    return convert_sklearn(pipeline, initial_types=initial, target_opset=21, **options)


def test_an_onnx_matrix_gets_one_input_per_column(people: pd.DataFrame) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    numbers = people[["education", "grade"]].to_numpy(dtype=np.float32)
    model = make_pipeline(StandardScaler(), Ridge()).fit(numbers, people["wage"])
    graph = graph_of(model, [("X", FloatTensorType([None, 2]))])
    sample = sample_of(people[["education", "grade", "wage"]], "wage")
    for given, names in ((None, ["f0", "f1"]), (sample, ["education", "grade"])):
        found = adopt(graph, given, "wage", SEED, quiet)
        assert [item.name for item in found.signature.inputs] == names
        assert judged(found, given).max_relative_error == 0


def test_an_onnx_classifier_with_zipmap_and_typed_columns_is_adopted(people: pd.DataFrame) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    frame = people[["education", "grade"]]
    model = make_pipeline(
        zoo.table((StandardScaler(), ["education", "grade"])), LogisticRegression()
    ).fit(frame, zoo.TARGETS["texts"](people["wage"]))
    kinds = [("education", FloatTensorType([None, 1])), ("grade", Int64TensorType([None, 1]))]
    found = adopt(graph_of(model, kinds), None, None, SEED, quiet)
    assert found.signature.output.labels == ("high", "low")
    assert [item.type for item in found.signature.inputs] == ["number", "integer"]
    assert not field(found, "grade").nullable
    assert judged(found).mismatches == 0


def test_an_onnx_model_for_a_fixed_number_of_rows_is_refused(people: pd.DataFrame) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    numbers = people[["education", "grade"]].to_numpy(dtype=np.float32)
    graph = graph_of(Ridge().fit(numbers, people["wage"]), [("X", FloatTensorType([1, 2]))])
    with pytest.raises(Refused, match="free first dimension"):
        adopt(graph, None, None, SEED, quiet)


def test_an_onnx_graph_shows_where_its_columns_values_matter(people: pd.DataFrame) -> None:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    frame = people[["education", "grade", "level"]]
    model = make_pipeline(
        zoo.table((StandardScaler(), ["education", "grade"]), (zoo.hot(), ["level"])), zoo.forest()
    ).fit(frame, people["wage"])
    kinds = [(name, FloatTensorType([None, 1])) for name in ("education", "grade")]
    found = adopt(
        graph_of(model, [*kinds, ("level", StringTensorType([None, 1]))]), None, None, SEED, quiet
    )
    low, high = found.spans["education"]
    assert low < 9 < 19 < high
    assert field(found, "level").choices == ("junior", "lead", "senior")
    assert judged(found).rows >= 2_000


def test_a_pipeline_of_32_bit_numbers_is_asked_with_such(people: pd.DataFrame) -> None:
    names = ["education", "grade"]
    fine = people[names].assign(education=people["education"] + people["wage"] / 1_000)
    single = fine.astype(np.float32)
    fresh = fine.sample(200, random_state=3)
    columns = {name: fresh[name].to_numpy(dtype=float)[:, None] for name in names}
    bare = make_pipeline(SimpleImputer(), zoo.forest()).fit(single, people["wage"])
    found = converted(bare)
    answers = load(found.graph(), found.signature).predict(columns)
    due = bare.predict(fresh.astype(np.float32))
    np.testing.assert_allclose(answers.values, due, rtol=1e-5)
    scaled = make_pipeline(SimpleImputer(), StandardScaler(), zoo.forest())
    scaled.fit(single, people["wage"])
    due = scaled.predict(fresh.astype(np.float32))
    assert (due != scaled.predict(fresh)).any()
    np.testing.assert_array_equal(original_of(scaled, None).ask(columns).values, due)
    why = converted(scaled).why_native
    assert why is not None
    assert why.code == "parity_failed"


def test_an_array_of_objects_is_asked_with_objects(people: pd.DataFrame) -> None:
    rows = people[["education", "grade", "remote"]].to_numpy(dtype=object)
    model = HistGradientBoostingRegressor(max_iter=5, categorical_features=[2])
    found = converted(model.fit(rows, people["wage"]))
    assert field(found, "f2").choices == (False, True)
    assert judged(found).rows >= 2_000


@pytest.mark.parametrize("name", ["<i>z", "Pay <EUR> & more", "Annual\nhours", 'a "b" <c'])
def test_a_column_may_be_named_as_people_name_them(name: str, people: pd.DataFrame) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    frame = people[["education"]].rename(columns={"education": name})
    model = make_pipeline(StandardScaler(), Ridge()).fit(frame, people["wage"])
    found = converted(model)
    assert [item.name for item in vet(found.graph()).graph.input] == [name]
    graph = graph_of(model, [("x", FloatTensorType([None, 1]))])
    graph.graph.input[0].name = graph.graph.node[0].input[0] = name
    adopted = adopt(vet(graph.SerializeToString()), None, None, SEED, quiet)
    assert [item.name for item in adopted.signature.inputs] == [name]
