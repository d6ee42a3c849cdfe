"""What a file is, from its first bytes and its name; and what no file may hold."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import sklearn
import skops.io
import xgboost
from onnx import ModelProto, TensorProto, helper
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes it public
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models_hub.formats import FORMATS, HEAD, Refused, recognise
from models_hub.formats.onnx_vetting import vet

NUMBERS = np.random.default_rng(0).random((60, 3))
TARGET = NUMBERS.sum(axis=1)


@pytest.fixture(scope="module")
def archive() -> bytes:
    """An honest pipeline, saved by skops."""
    model = make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=3))
    data: bytes = skops.io.dumps(model.fit(NUMBERS, TARGET))
    return data


def graph(**changes: Any) -> ModelProto:
    """y = x + 1, with parts to be changed."""
    node = helper.make_node(
        changes.get("kind", "Add"), ["x", "one"], ["y"], domain=changes.get("domain", "")
    )
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        [node],
        "g",
        [value("x", TensorProto.FLOAT, changes.get("shape", [None, 1]))],
        [value("y", TensorProto.FLOAT, [None, 1])],
        [one],
    )
    imports = [helper.make_opsetid("", 21)]
    if domain := changes.get("domain"):
        imports.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(made, opset_imports=imports)
    model.ir_version = 10
    return model


def repacked(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """A zip with the same members after a change."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, content)
    return out.getvalue()


def opened(tmp_path: Path, filename: str, data: bytes) -> Any:
    path = tmp_path / filename
    path.write_bytes(data)
    return recognise(data[:HEAD], filename).open(path).model


def refused(tmp_path: Path, filename: str, data: bytes) -> Refused:
    with pytest.raises(Refused) as refusal:
        opened(tmp_path, filename, data)
    return refusal.value


def test_recognising_a_file_imports_no_machine_learning_library() -> None:
    code = (
        "import sys, models_hub.formats\n"
        "heavy = {'sklearn', 'skl2onnx', 'skops', 'onnx', 'onnxruntime', 'joblib', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert run.stdout.strip() == "[]", run.stderr


def test_every_format_goes_by_its_own_name() -> None:
    assert all(name == form.name for name, form in FORMATS.items())
    endings = [ending for form in FORMATS.values() for ending in form.extensions]
    assert len(set(endings)) == len(endings)


def test_content_and_name_together_decide(archive: bytes) -> None:
    assert recognise(archive[:HEAD], "Model.SKOPS").name == "skops"
    assert recognise(graph().SerializeToString()[:HEAD], "m.onnx").name == "onnx"
    assert FORMATS["skops"].sniff(archive[:HEAD], "model.skops")
    assert not FORMATS["skops"].sniff(archive[:HEAD], "model.onnx")


@pytest.mark.parametrize(
    ("head", "filename", "code"),
    [
        (b"", "m.onnx", "file_empty"),
        (b"PK\x03\x04rest", "m.zip", "format_unknown"),
        (b"PK\x03\x04rest", "m.onnx", "type_mismatch"),
        (b"<!doctype html><html>", "m.skops", "type_mismatch"),
        (b"\x80\x05rest of a pickle", "m.skops", "type_mismatch"),
        (b"junkPK\x03\x04", "m.skops", "type_mismatch"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    head: bytes, filename: str, code: str
) -> None:
    with pytest.raises(Refused) as refusal:
        recognise(head, filename)
    assert refusal.value.code == code


def test_an_honest_skops_file_opens(archive: bytes, tmp_path: Path) -> None:
    model = opened(tmp_path, "m.skops", archive)
    assert np.isfinite(model.predict(NUMBERS)).all()


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingRegressor(max_iter=3, categorical_features=[0]),
        IterativeImputer(max_iter=2),
        lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=2, verbose=-1),
        xgboost.XGBRegressor(n_estimators=3),
        catboost.CatBoostRegressor(iterations=3, verbose=0, allow_writing_files=False),
    ],
    ids=lambda model: type(model).__name__,
)
def test_skops_files_hold_what_pickles_may_hold(model: Any, tmp_path: Path) -> None:
    if isinstance(model, IterativeImputer):
        model = make_pipeline(model, LinearRegression())
    rows = np.random.default_rng(0).integers(0, 5, (60, 3)).astype(float)
    model.fit(rows, rows.sum(axis=1))
    again = opened(tmp_path, "m.skops", skops.io.dumps(model))
    np.testing.assert_array_equal(again.predict(rows), model.predict(rows))


def test_a_file_of_another_scikit_learn_says_so(archive: bytes, tmp_path: Path) -> None:
    def older(members: dict[str, bytes]) -> None:
        text = members["schema.json"].decode()
        members["schema.json"] = text.replace(sklearn.__version__, "1.6.9").encode()

    path = tmp_path / "m.skops"
    path.write_bytes(repacked(archive, older))
    assert FORMATS["skops"].open(path).facts["saved_by"] == "scikit-learn 1.6.9"


def test_a_damaged_archive_is_refused(archive: bytes, tmp_path: Path) -> None:
    assert refused(tmp_path, "m.skops", archive[: len(archive) // 2]).code == "archive_corrupt"
    flipped = bytearray(archive)
    flipped[60] ^= 0xFF  # inside the first member's packed bytes
    assert refused(tmp_path, "m.skops", bytes(flipped)).code.startswith("archive_")
    empty = repacked(archive, lambda members: members.__delitem__("schema.json"))
    assert refused(tmp_path, "m.skops", empty).code == "archive_corrupt"


@pytest.mark.parametrize("name", ["../../evil.npy", "/etc/passwd", "a/b.npy", "c:\\x.npy"])
def test_a_member_whose_name_leads_out_is_refused(
    name: str, archive: bytes, tmp_path: Path
) -> None:
    data = repacked(archive, lambda members: members.update({name: b"x"}))
    assert refused(tmp_path, "m.skops", data).code == "archive_forbidden"


def test_an_archive_that_unpacks_to_far_more_is_refused(archive: bytes, tmp_path: Path) -> None:
    data = repacked(archive, lambda members: members.update({"zeros.npy": bytes(64 << 20)}))
    assert refused(tmp_path, "m.skops", data).code == "archive_bomb"


def test_a_schema_nested_too_deep_is_refused(archive: bytes, tmp_path: Path) -> None:
    def deep(members: dict[str, bytes]) -> None:
        members["schema.json"] = b'{"__loader__":"x","content":' + b"[" * 500 + b"]" * 500 + b"}"

    assert refused(tmp_path, "m.skops", repacked(archive, deep)).code == "archive_bomb"


def test_a_foreign_type_is_refused_by_name(archive: bytes, tmp_path: Path) -> None:
    def rename(members: dict[str, bytes]) -> None:
        schema = json.loads(members["schema.json"])
        schema["__class__"], schema["__module__"] = "CityEncoder", "mycompany.features"
        members["schema.json"] = json.dumps(schema).encode()

    refusal = refused(tmp_path, "m.skops", repacked(archive, rename))
    assert refusal.code == "type_not_trusted"
    assert "mycompany.features.CityEncoder" in refusal.detail


def test_a_schema_that_calls_an_operator_is_refused(archive: bytes, tmp_path: Path) -> None:
    def call(members: dict[str, bytes]) -> None:
        schema = json.loads(members["schema.json"])
        schema["__loader__"] = "OperatorFuncNode"
        members["schema.json"] = json.dumps(schema).encode()

    assert refused(tmp_path, "m.skops", repacked(archive, call)).code == "type_not_trusted"


def test_a_tree_that_points_outside_itself_is_refused(tmp_path: Path) -> None:
    forest = RandomForestClassifier(2, random_state=0).fit(NUMBERS, TARGET.mean() < TARGET)
    data = skops.io.dumps(forest)

    def point_astray(members: dict[str, bytes]) -> None:
        for name, content in members.items():
            array: Any = np.load(io.BytesIO(content)) if name.endswith(".npy") else np.zeros(0)
            if array.dtype.names and "left_child" in array.dtype.names:
                array["left_child"][0] = 1_000_000
                out = io.BytesIO()
                np.save(out, array)
                members[name] = out.getvalue()

    assert refused(tmp_path, "m.skops", repacked(data, point_astray)).code == "model_damaged"


def test_an_honest_onnx_file_opens(tmp_path: Path) -> None:
    assert opened(tmp_path, "m.onnx", graph().SerializeToString()).graph.node


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"domain": "com.example"}, "onnx_custom_domain"),
        ({"kind": "Loop"}, "onnx_operator_not_allowed"),
        ({"kind": "RandomNormal"}, "onnx_operator_not_allowed"),
        ({"shape": [None, 3, 224, 224]}, "onnx_inputs_unsupported"),
    ],
)
def test_an_onnx_graph_beyond_the_allow_list_is_refused(
    changes: dict[str, Any], code: str, tmp_path: Path
) -> None:
    data = graph(**changes).SerializeToString()
    assert refused(tmp_path, "m.onnx", data).code == code


def test_onnx_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    model = graph()
    tensor = model.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    data = model.SerializeToString()
    assert refused(tmp_path, "m.onnx", data).code == "onnx_external_data"


def test_an_onnx_tensor_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    model = graph()
    model.graph.initializer[0].dims[:] = [1_000]
    data = model.SerializeToString()
    assert refused(tmp_path, "m.onnx", data).code == "onnx_tensor_invalid"


def test_onnx_trees_with_a_cycle_are_refused(tmp_path: Path) -> None:
    model = graph()
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0],
        nodes_nodeids=[0, 1],
        nodes_featureids=[0, 0],
        nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ"],
        nodes_values=[0.5, 0.5],
        nodes_truenodeids=[1, 0],
        nodes_falsenodeids=[1, 0],
        target_ids=[0],
        target_nodeids=[0],
        target_treeids=[0],
        target_weights=[1.0],
    )
    model.graph.node[0].CopyFrom(node)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    assert refused(tmp_path, "m.onnx", model.SerializeToString()).code == "onnx_tree_invalid"


def test_an_onnx_list_is_kept_and_whatever_its_attribute_holds_beside_it_is_dropped() -> None:
    model = graph(kind="LabelEncoder", domain="ai.onnx.ml")
    node = model.graph.node[0]
    del node.input[1]
    node.attribute.append(helper.make_attribute("keys_int64s", [1, -2]))
    node.attribute.append(helper.make_attribute("values_strings", ["a", "a"]))
    plain = [attribute.SerializeToString() for attribute in node.attribute]
    for attribute in node.attribute:
        attribute.doc_string, attribute.s, attribute.f = "hidden", b"hidden", 0.5
        attribute.t.name = attribute.g.name = "hidden"
        attribute.MergeFromString(b"\xfa\x06\x06hidden")
    kept = vet(model.SerializeToString()).graph.node[0].attribute
    assert [attribute.SerializeToString() for attribute in kept] == plain


def test_onnx_trees_may_number_their_nodes_as_they_like() -> None:
    wide = [-(1 << 63), (1 << 63) - 1, 7]
    model = graph(kind="TreeEnsembleRegressor", domain="ai.onnx.ml")
    node = model.graph.node[0]
    del node.input[1]
    numbers = {
        "nodes_treeids": [wide[0]] * 3 + [wide[1]], "nodes_nodeids": [*wide, 7],
        "nodes_featureids": [0] * 4, "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
        "nodes_values": [0.5] * 4, "nodes_truenodeids": [wide[1], 0, 0, 0],
        "nodes_falsenodeids": [7, 0, 0, 0], "target_ids": [0], "target_nodeids": [7],
        "target_treeids": [wide[1]], "target_weights": [1.0], "n_targets": 1,
    }  # fmt: skip
    node.attribute.extend(helper.make_attribute(name, value) for name, value in numbers.items())
    assert len(vet(model.SerializeToString()).graph.node[0].attribute) == len(numbers)


def test_a_truncated_or_padded_onnx_file_is_refused(tmp_path: Path) -> None:
    data = graph().SerializeToString()
    assert refused(tmp_path, "m.onnx", data[:-3]).code == "onnx_corrupt"
    unknown_field = b"\xfa\x06\x03abc"  # number 111, three bytes
    assert refused(tmp_path, "m.onnx", data + unknown_field).code == "onnx_corrupt"
