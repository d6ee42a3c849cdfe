"""The light lane: the same graph in a form for browsers, and the same answers."""

import base64
import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import quickjs  # type: ignore[import-untyped]  # it comes without types
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import KBinsDiscretizer, PowerTransformer

from berth.signature import Output, Signature
from models_hub import compact
from models_hub.browser import measuring
from models_hub.browser.compiler import compile
from models_hub.browser.drafting import NotInLane
from models_hub.conversion.answers import Answers
from models_hub.conversion.convert import convert
from models_hub.conversion.loading import load
from models_hub.conversion.rows import parity_rows
from models_hub.formats.onnx_vetting import vet
from tests import compacts
from tests.models_hub import zoo
from tests.runtime.conftest import INPUTS, REGRESSION, converted, trained

CHECK: dict[str, Any] = {"rows": [], "predictions": []}
SEED = 7


def outcome(pipeline: Any, target: Any) -> tuple[measuring.Outcome, Any]:
    """What the judge finds of a pipeline on the zoo's people; and its graph."""
    people = zoo.people().drop(columns="wage")
    found = convert(pipeline.fit(people, target), None, "wage", SEED, lambda name, detail: None)
    return compacts.measured(found.graph(), found.signature, SEED), found


@pytest.mark.parametrize("name", zoo.REGRESSIONS)
def test_a_regression_answers_in_the_light_lane_as_on_the_server(name: str) -> None:
    found, _ = outcome(zoo.REGRESSIONS[name](), zoo.people()["wage"])
    assert found.report["lane"] == "light", found.report
    assert found.report["light"]["rows"] >= 2_000
    assert found.report["light"]["mismatches"] == 0
    assert found.report["light"]["worst"] <= 1e-9
    assert found.report["bytes"] == len(found.data)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        RandomForestClassifier(10, random_state=0),
        GradientBoostingClassifier(n_estimators=10, random_state=0),
        HistGradientBoostingClassifier(max_iter=10, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("labels", [("low", "high"), (1, 2, 3), (False, True)], ids=str)
def test_a_classification_gives_the_same_labels_and_probabilities(model: Any, labels: Any) -> None:
    wage = zoo.people()["wage"]
    places = np.searchsorted(np.quantile(wage, np.linspace(0, 1, len(labels) + 1)[1:-1]), wage)
    found, _ = outcome(zoo.usual(model), np.array(labels)[places])
    assert found.report["lane"] == "light", found.report
    header, _ = compact.unpack(found.data)
    assert {type(one) for one in header["check"]["predictions"]} == {type(labels[0])}


@pytest.mark.parametrize("step", [PowerTransformer(), KBinsDiscretizer(3)], ids=str)
def test_other_steps_answer_alike_too(step: Any) -> None:
    pipeline = zoo.usual(LogisticRegression(), zoo.table((step, [0, 1])))  # type: ignore[list-item]  # columns by place
    found, _ = outcome(pipeline, zoo.people()["wage"] > 2_000)
    assert found.report["lane"] == "light", found.report


def test_a_graph_of_ml_operators_is_read_as_it_is() -> None:
    """As skl2onnx writes it: Scaler, OneHotEncoder, LinearClassifier, Normalizer, in float."""
    levels = trained(LogisticRegression(), lambda f: np.where(f.experience > 20, "old", "young"))
    signature = Signature(INPUTS, Output("age", "classification", labels=("old", "young")))
    found = compacts.measured(converted(levels), signature)
    assert found.report["lane"] == "light", found.report


def test_the_interpreter_is_small() -> None:
    assert len(gzip.compress(measuring.LIGHT_JS.read_bytes(), 9)) <= 8 * 1024


def test_the_same_model_makes_the_same_file(tmp_path: Path) -> None:
    pipeline = trained(LogisticRegression(), lambda f: f.experience > 20)
    signature = Signature(INPUTS, Output("old", "classification", labels=(False, True)))
    one, two = (compacts.measured(converted(pipeline), signature).data for _ in range(2))
    assert one == two
    assert compact.zipped(one) == compact.zipped(two)


def graph_of(nodes: list[Any], inputs: dict[str, Any], constants: dict[str, Any]) -> Any:
    """A vetted graph of doubles with one output `out`."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, list(array.shape))
        for name, array in inputs.items()
    ]
    output = helper.make_empty_tensor_value_info("out")
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", values, [output], tensors)
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return vet(helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString())


def test_what_the_lane_lacks_closes_it_by_name() -> None:
    node = helper.make_node("Erf", ["x"], ["out"])
    model = graph_of([node], {"x": np.zeros((1, 1))}, {})
    with pytest.raises(NotInLane, match="Erf"):
        compile(model, REGRESSION.to_json(), CHECK)


def test_a_lane_that_answers_otherwise_is_closed_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = compile

    def skewed(model: Any, *rest: Any) -> bytes:
        header, sections = compact.unpack(honest(model, *rest))
        at = next(k for k, one in enumerate(header["nodes"]) if one[0] == "Add")
        header["nodes"][at][0] = "Sub"
        header["check"] = CHECK  # so that it is the comparison that finds it
        return compact.pack(header, sections)

    monkeypatch.setattr(measuring, "compile", skewed)
    found, _ = outcome(zoo.REGRESSIONS["linear"](), zoo.people()["wage"])
    assert found.report["lane"] == "heavy"
    assert "answers" in found.report["light"]["closed"]
    header, onnx = compact.unpack(found.data)
    assert header["lane"] == "heavy"
    assert onnxruntime.InferenceSession(onnx)


def test_a_file_whose_own_rows_are_answered_otherwise_is_not_used() -> None:
    found, _ = outcome(zoo.REGRESSIONS["linear"](), zoo.people()["wage"])
    header, sections = compact.unpack(found.data)
    header["check"]["predictions"][0] *= 1.001
    with pytest.raises(NotInLane, match="answers otherwise"):
        measuring.Engine(compact.pack(header, sections))


def test_the_file_holds_only_rows_that_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample's own rows come first; the file is public and must not hold them."""
    pipeline = zoo.REGRESSIONS["linear"]()
    people = zoo.people().drop(columns="wage")
    found = convert(pipeline.fit(people, zoo.people()["wage"]), None, "w", SEED, lambda n, d: None)
    columns = parity_rows(found.signature, found.spans, None, SEED)
    model = vet(found.graph())
    few = {name: values[-5:] for name, values in columns.items()}
    monkeypatch.setattr(measuring, "MIN_ROWS", 5)
    got = Answers(np.zeros(5))
    data = measuring.measure(model, found.signature, few, 2, got).data
    header, _ = compact.unpack(data)
    assert header["check"]["rows"] == measuring.instances(few)[-2:]
    assert "golden" not in header


OPERATORS: dict[str, tuple[list[Any], dict[str, Any]]] = {}
X = np.array([[1.5, -2.5, np.nan, 0.5], [2.5, 3.5, -0.5, 7.0], [-1.5, 0.0, 4.0, -3.0]])


def operator(kind: str, *constants: Any, **attributes: Any) -> None:
    named = {f"c{k}": np.asarray(value) for k, value in enumerate(constants)}
    node = helper.make_node(kind, ["x", *named], ["out"], **attributes)
    OPERATORS[f"{kind} {attributes or ''} {[c.shape for c in named.values()]}"] = ([node], named)


for _kind in ("Abs", "Neg", "Exp", "Sign", "Floor", "Ceil", "Round", "Sin", "Cos", "Tanh"):
    operator(_kind)
for _kind in ("Reciprocal", "Sigmoid", "Relu", "Identity", "IsNaN"):
    operator(_kind)
for _kind in ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Less", "GreaterOrEqual"):
    for _shape in ((), (1, 4), (3, 1), (2, 1, 4)):
        operator(_kind, np.arange(1.0, 1.0 + np.prod(_shape, dtype=int)).reshape(_shape))
for _kind in ("Sum", "Mean", "Prod", "L1", "L2", "SumSquare"):
    operator(f"Reduce{_kind}", np.array([1]), keepdims=0)
    operator(f"Reduce{_kind}", np.array([0, -1]))
for _kind in ("ReduceMax", "ReduceMin", "ReduceLogSumExp"):
    operator(_kind, np.array([0]), keepdims=1)
operator("Softmax", axis=0)
operator("LogSoftmax", axis=1)
operator("CumSum", np.array(1), reverse=1)
operator("CumSum", np.array(0), exclusive=1)
operator("Gather", np.array([[0, -1], [2, 1]]), axis=1)
operator("GatherElements", np.array([[0, -1], [2, 1], [3, 3]]), axis=1)
operator("Reshape", np.array([0, 2, -1]))
operator("Transpose", perm=[1, 0])
operator("MatMul", np.arange(8.0).reshape(4, 2))
operator("Clip", np.array(-1.0), np.array(2.0))
operator("Cast", to=TensorProto.FLOAT)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_does_what_onnxruntime_does(name: str) -> None:
    nodes, constants = OPERATORS[name]
    given = np.nan_to_num(X) if "Max" in name or "Min" in name or "Log" in name else X
    kept = helper.make_node("Cast", ["out"], ["last"], to=TensorProto.DOUBLE)
    flat = helper.make_node("Reshape", ["last", "flat"], ["final"])
    node = helper.make_node("Identity", ["final"], ["out2"])
    constants = {**constants, "flat": np.array([-1])}
    values = [helper.make_tensor_value_info("x", TensorProto.DOUBLE, list(given.shape))]
    output = helper.make_tensor_value_info("out2", TensorProto.DOUBLE, [None])
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph([*nodes, kept, flat, node], "g", values, [output], tensors)
    imports = [helper.make_opsetid("", 21)]
    data = helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString()
    due = onnxruntime.InferenceSession(data).run(None, {"x": given})[0]
    got = measured_values(vet(data), given)
    np.testing.assert_allclose(got, due, rtol=1e-12, atol=1e-12)


def measured_values(model: Any, given: Any) -> Any:
    """What the interpreter makes of a matrix: its rows are fed as columns of one field each."""
    context = quickjs.Context()
    context.module(
        measuring.LIGHT_JS.read_text() + "globalThis.parts = { parse, OPERATORS, stored };"
    )
    context.set("text", base64.b64encode(compile(model, REGRESSION.to_json(), CHECK)).decode())
    context.set(
        "given", json.dumps([None if cell != cell else cell for cell in given.ravel().tolist()])
    )
    context.set("shape", json.dumps(list(given.shape)))
    return np.array(json.loads(context.eval(_RUN)), dtype=float)


_RUN = """
(() => {
  const buffer = Uint8Array.fromBase64(text).buffer;
  const [head, start] = parts.parse(buffer);
  const cells = Float64Array.from(JSON.parse(given), (v) => v ?? NaN);
  const x = { t: "d", s: JSON.parse(shape), d: cells };
  const values = [...head.constants.map((one) => parts.stored(buffer, start, one)), x];
  for (const [operator, inputs, attrs] of head.nodes)
    values.push(...[parts.OPERATORS[operator](inputs.map((k) => values[k]), attrs ?? {})].flat());
  return JSON.stringify(Array.from(values[head.outputs[0]].d, (v) => String(+v)));
})()
"""


@pytest.mark.parametrize("lane", ["light", "heavy"])
def test_node_gives_the_server_s_answers_in_each_lane(
    require: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lane: str
) -> None:
    """On two thousand rows of a pipeline with texts, gaps and trees."""
    if lane == "heavy":
        monkeypatch.setattr(measuring, "compile", lambda *_: (_ for _ in ()).throw(NotInLane("x")))
    found, converted_ = outcome(zoo.REGRESSIONS["boosting with selection"](), zoo.people()["wage"])
    assert found.report["lane"] == lane
    columns = parity_rows(converted_.signature, converted_.spans, None, SEED)
    rows = measuring.instances(columns)
    assert len(rows) >= 2_000
    (tmp_path / "model.berth").write_bytes(found.data)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    engine = unpacked_engine(tmp_path)
    program = tmp_path / "run.mjs"
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for script in ("light.js", "heavy.js"):
        shutil.copy(measuring.LIGHT_JS.with_name(script), tmp_path)
    program.write_text(_NODE.replace("LANE", f"./{lane}.js"))
    done = subprocess.run(
        [require("node"), program, tmp_path, engine], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    due = load(converted_.graph(), converted_.signature).predict(columns).values
    np.testing.assert_allclose(json.loads(done.stdout), due, rtol=1e-5)


def unpacked_engine(folder: Path) -> Path:
    """The vendored engine, with its large file as Node reads it."""
    vendored = Path(__file__).parents[2] / "portal/static/berth/vendor/onnxruntime-web-1.30.0"
    target = folder / "engine"
    target.mkdir()
    for file in vendored.iterdir():
        data = file.read_bytes()
        is_packed = file.suffix == ".gz"
        (target / file.name.removesuffix(".gz")).write_bytes(
            gzip.decompress(data) if is_packed else data
        )
    return target


_NODE = """
import fs from "node:fs";
import { pathToFileURL } from "node:url";
const { open } = await import("LANE");
const [, , folder, engine] = process.argv;
const bytes = fs.readFileSync(`${folder}/model.berth`);
const model = await open(new Uint8Array(bytes).buffer, pathToFileURL(engine).href + "/");
await model.verify();
const rows = JSON.parse(fs.readFileSync(`${folder}/rows.json`));
console.log(JSON.stringify((await model.predict(rows)).predictions));
"""
