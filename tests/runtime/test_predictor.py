"""Predictor: one kernel, the same numbers as the pipeline."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from berth.bundle import Bundle, BundleError, seal
from berth.predictions import PredictionError
from berth.predictor import Predictor
from berth.signature import Field, Output, Signature
from tests.runtime.conftest import INPUTS, converted, people, trained

MANIFEST = {"created_at": "2026-01-02T03:04:05Z"}


def test_it_predicts_what_the_pipeline_predicts(bundle: Bundle, regressor: Pipeline) -> None:
    rows = people(500, seed=3)
    coerced = bundle.signature.coerce(rows.to_dict("records"))
    answer = Predictor(bundle).predict(coerced.columns)
    assert answer.values.dtype == np.float64
    assert answer.values.shape == (500,)
    np.testing.assert_allclose(answer.values, regressor.predict(rows), rtol=1e-9)
    assert answer.probabilities is None


def test_it_answers_labels_and_probabilities(classes: Bundle, classifier: Pipeline) -> None:
    rows = people(200, seed=4)
    coerced = classes.signature.coerce(rows.to_dict("records"))
    answer = Predictor(classes).predict(coerced.columns)
    assert answer.values.tolist() == classifier.predict(rows).tolist()
    assert type(answer.values.tolist()[0]) is str
    assert answer.labels == ("junior", "senior")
    assert answer.probabilities is not None
    assert answer.probabilities.dtype == np.float64
    np.testing.assert_allclose(answer.probabilities, classifier.predict_proba(rows), atol=1e-6)
    assert answer.to_json().keys() == {"predictions", "probabilities"}


def test_it_answers_truth_values_where_the_labels_are_truth_values(
    key: Ed25519PrivateKey,
) -> None:
    pipeline = trained(LogisticRegression(), lambda frame: (frame.experience > 20).astype(int))
    signature = Signature(INPUTS, Output("hired", "classification", labels=(False, True)))
    predictor = Predictor(seal(converted(pipeline), signature, MANIFEST, key))
    coerced = signature.coerce(people(20).to_dict("records"))
    values = predictor.predict(coerced.columns).values.tolist()
    assert {type(value) for value in values} == {bool}


def test_no_rows_get_no_predictions(bundle: Bundle) -> None:
    answer = Predictor(bundle).predict(bundle.signature.coerce([]).columns)
    assert answer.to_json() == {"predictions": []}


def test_it_serves_many_threads_at_once(bundle: Bundle, regressor: Pipeline) -> None:
    predictor = Predictor(bundle)
    tables = [people(50, seed=seed) for seed in range(16)]

    def predict(number: int) -> NDArray[Any]:
        rows = tables[number].to_dict("records")
        return predictor.predict(bundle.signature.coerce(rows).columns).values

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(predict, range(16)))
    for table, answer in zip(tables, answers, strict=True):
        np.testing.assert_allclose(answer, regressor.predict(table), rtol=1e-9)


def test_a_bundles_bytes_are_enough(bundle: Bundle, key: Ed25519PrivateKey) -> None:
    predictor = Predictor.from_bytes(bundle.data, key.public_key())
    assert predictor.sha256 == bundle.sha256
    assert predictor.verify_golden() == 3
    assert predictor.nbytes > len(bundle.onnx)


def test_golden_rows_that_come_out_otherwise_are_refused(
    bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    golden = bundle.manifest["golden"]
    off = {**golden, "predictions": [value * 1.001 for value in golden["predictions"]]}
    sealed = seal(bundle.onnx, bundle.signature, {**MANIFEST, "golden": off}, key)
    with pytest.raises(BundleError, match="golden rows") as refusal:
        Predictor(sealed).verify_golden()
    assert refusal.value.code == "golden"


def test_golden_rows_that_do_not_fit_the_signature_are_refused(
    bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    golden = {"instances": [{"experience": "long"}], "predictions": [1.0]}
    sealed = seal(bundle.onnx, bundle.signature, {**MANIFEST, "golden": golden}, key)
    with pytest.raises(BundleError, match="cannot be predicted"):
        Predictor(sealed).verify_golden()


def logarithm() -> bytes:
    """A model that answers log(x): no finite number at and below zero."""
    node = helper.make_node("Log", ["x"], ["prediction"])
    shaped = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1])
        for name in ("x", "prediction")
    ]
    graph = helper.make_graph([node], "logarithm", [shaped[0]], [shaped[1]])
    opset = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_an_answer_that_is_no_finite_number_names_its_rows(key: Ed25519PrivateKey) -> None:
    signature = Signature((Field("x", "number"),), Output("y", "regression"))
    predictor = Predictor(seal(logarithm(), signature, MANIFEST, key))
    columns = signature.coerce([{"x": 1}, {"x": 0}, {"x": 2}, {"x": -1}]).columns
    with pytest.raises(PredictionError, match="rows 1, 3") as failure:
        predictor.predict(columns)
    assert failure.value.rows == (1, 3)


def test_a_model_that_reads_other_inputs_than_it_says_is_refused(
    bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    renamed = replace(bundle.signature, inputs=(Field("age", "number"), *INPUTS[1:]))
    with pytest.raises(BundleError, match="experience") as refusal:
        Predictor(seal(bundle.onnx, renamed, MANIFEST, key))
    assert refusal.value.code == "wrong_interface"


def test_a_regression_does_not_pass_for_a_classification(
    bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    signature = replace(bundle.signature, output=Output("y", "classification", ("a", "b")))
    with pytest.raises(BundleError, match="labels"):
        Predictor(seal(bundle.onnx, signature, MANIFEST, key))


def test_bytes_that_are_no_model_are_refused(bundle: Bundle, key: Ed25519PrivateKey) -> None:
    with pytest.raises(BundleError) as refusal:
        Predictor(seal(b"not onnx", bundle.signature, MANIFEST, key))
    assert refusal.value.code == "unloadable"


def test_it_does_not_report_home(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "model.berth").write_bytes(bundle.data)
    script = (
        "import os, sys; from berth.predictor import Predictor;"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1';"
        "Predictor.from_bytes(open(sys.argv[1], 'rb').read(), None).verify_golden()"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: os.environ[name] for name in os.environ if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model.berth")],
        env={**environment, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")},
        check=True,
    )
    assert list(home.rglob("*")) == []


FIFTY = """
import sys
from pathlib import Path
from berth.bundle import read
from berth.predictor import Predictor

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

bundle = read(Path(sys.argv[1]).read_bytes(), None)
columns = bundle.signature.coerce(bundle.manifest["golden"]["instances"] * 300).columns
Predictor(bundle).predict(columns)
before = resident()
predictors = [Predictor(bundle) for _ in range(50)]
for predictor in predictors:
    predictor.predict(columns)
print(resident() - before, sum(predictor.nbytes for predictor in predictors))
"""


def test_fifty_small_models_take_no_more_memory_than_they_say(
    bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "model.berth"
    path.write_bytes(bundle.data)
    command = [sys.executable, "-c", FIFTY, str(path)]
    taken, said = map(int, subprocess.check_output(command).split())
    assert taken < 20_000_000
    assert taken < said * 1.5
