"""Hostile ONNX files."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.models_hub.hostile import Build, Case

OPERATOR, DOMAIN, CORRUPT = "onnx_operator_not_allowed", "onnx_custom_domain", "onnx_corrupt"
TENSOR, TREE, LARGE = "onnx_tensor_invalid", "onnx_tree_invalid", "onnx_too_large"
ATTRIBUTES, INPUTS, VERSION = "onnx_attributes_invalid", "onnx_inputs_unsupported", "onnx_version"
FAILS = "cannot_predict"
ML = "ai.onnx.ml"
value = helper.make_tensor_value_info
COLUMN = [None, 1]
GROWN = 40


def model(nodes: list[Any], weights: dict[str, Any] | None = None, **more: Any) -> ModelProto:
    """A graph from x to y."""
    made = helper.make_graph(
        nodes,
        "g",
        more.get("inputs", [value("x", TensorProto.FLOAT, COLUMN)]),
        [value("y", TensorProto.FLOAT, COLUMN)],
        [
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in (weights or {}).items()
        ],
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid(ML, 3)]
    found = helper.make_model(made, opset_imports=[*imports, *more.get("imports", [])])
    found.ir_version = 10
    return found


def data(message: Any) -> bytes:
    """The bytes of a protobuf message."""
    return bytes(message.SerializeToString())


def plus_one() -> ModelProto:
    return model([helper.make_node("Add", ["x", "one"], ["y"])], {"one": np.ones(1, np.float32)})


def of(*nodes: Any, **weights: Any) -> Build:
    return lambda _: data(model(list(nodes), weights))


def changed(change: Callable[[ModelProto], Any]) -> Build:
    """y = x + 1 after a change."""

    def build(_: Path) -> bytes:
        found = plus_one()
        change(found)
        return data(found)

    return build


def node(kind: str, *inputs: str, domain: str = "", **attributes: Any) -> Any:
    return helper.make_node(kind, list(inputs or ["x"]), ["y"], domain=domain, **attributes)


def shape(*sizes: int) -> Any:
    return np.array(sizes, np.int64)


def outside(found: ModelProto) -> None:
    weight = found.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../../etc/passwd")


def lying(**fields: Any) -> Build:
    def change(found: ModelProto) -> None:
        weight = found.graph.initializer[0]
        for name, content in fields.items():
            if name == "dims":
                weight.dims[:] = content
            else:
                setattr(weight, name, content)

    return changed(change)


def function(found: ModelProto) -> None:
    call = helper.make_node("Identity", ["a"], ["b"])
    found.functions.append(
        helper.make_function("local", "f", ["a"], ["b"], [call], [helper.make_opsetid("", 21)])
    )


def body() -> Any:
    """What a Loop or an If does."""
    inner = helper.make_node("Identity", ["x"], ["z"])
    return helper.make_graph([inner], "b", [], [value("z", TensorProto.FLOAT, COLUMN)])


def nested(levels: int) -> bytes:
    """A graph in an attribute of a node of a graph in an attribute …, as protobuf's bytes."""

    def part(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    inner = b""
    for _ in range(levels):
        attribute = part(1, b"body") + part(6, inner) + b"\xa0\x01\x05"
        inner = part(1, part(4, b"Identity") + part(5, attribute))
    column = part(11, data(value("x", TensorProto.FLOAT, COLUMN)))
    graph = inner + column + part(12, part(1, b"y"))
    return b"\x08\x0a" + part(7, graph) + part(8, b"\x10\x15")


def in_attribute(marker: Path) -> bytes:
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.ones(1)))
    held = constant.attribute[0].t
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    held.external_data.add(key="location", value=str(marker))
    return data(model([constant, node("Identity", "x")]))


TREES: dict[str, Any] = {
    "n_targets": 1,
    "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.5, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
    "target_ids": [0, 0], "target_nodeids": [1, 2], "target_treeids": [0, 0],
    "target_weights": [1.0, 2.0],
}  # fmt: skip


def tree(**changes: Any) -> Build:
    """A tree ensemble with other attributes; those that are None are left out."""
    attributes = {k: v for k, v in {**TREES, **changes}.items() if v is not None}
    return of(node("TreeEnsembleRegressor", "x", domain=ML, **attributes))


def classifier(**changes: Any) -> Build:
    mine = {k.replace("target", "class"): v for k, v in TREES.items() if k != "n_targets"}
    attributes = {**mine, "classlabels_int64s": [0, 1], "class_ids": [0, 1], **changes}
    made = helper.make_node("TreeEnsembleClassifier", ["x"], ["l", "y"], domain=ML, **attributes)
    return of(made)


def doubling(_: Path) -> bytes:
    """Each value is the one before twice over."""
    names = ["x", *(f"v{n}" for n in range(GROWN)), "y"]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=1) for a, b in pairwise(names)]
    return data(model(nodes))


def many_inputs(_: Path) -> bytes:
    names = [f"c{n}" for n in range(10_000)]
    inputs = [value(name, TensorProto.FLOAT, COLUMN) for name in names]
    return data(model([node("Identity", "c0")], inputs=inputs))


def named(name: str) -> Build:
    inputs = [value(name, TensorProto.FLOAT, COLUMN)]
    return lambda _: model([node("Identity", name)], inputs=inputs).SerializeToString()


def support(**changes: Any) -> Build:
    attributes: dict[str, Any] = {
        "coefficients": [1.0, 1.0], "support_vectors": [0.1, 0.2], "n_supports": 2, "rho": [0.0],
        "kernel_params": [1.0, 0.0, 3.0], "kernel_type": "RBF",
    }  # fmt: skip
    return of(node("SVMRegressor", "x", domain=ML, **{**attributes, **changes}))


ONE = helper.make_node("Identity", ["x"], ["y"])
GRAPHS = [
    Case("weights outside", "m.onnx", "onnx_external_data", changed(outside)),
    Case("an attribute outside", "m.onnx", "onnx_external_data", in_attribute),
    Case("a domain of its own", "m.onnx", DOMAIN, of(node("Evil", domain="com.evil"))),
    Case(
        "a domain imported and not used", "m.onnx", DOMAIN,
        changed(lambda found: found.opset_import.append(helper.make_opsetid("com.evil", 1))),
    ),
    Case("contributed operators", "m.onnx", DOMAIN, of(node("Gelu", domain="com.microsoft"))),
    Case("functions of its own", "m.onnx", OPERATOR, changed(function)),
    Case("training", "m.onnx", OPERATOR, changed(lambda found: found.training_info.add())),
    Case("an unknown operator", "m.onnx", OPERATOR, of(node("<img src=x onerror=alert(1)>"))),
    Case("Expand", "m.onnx", OPERATOR, of(node("Expand", "x", "s"), s=shape(1 << 20, 1 << 20))),
    Case("Tile", "m.onnx", OPERATOR, of(node("Tile", "x", "s"), s=shape(1 << 20, 1 << 20))),
    Case("Loop", "m.onnx", OPERATOR, of(node("Loop", "", "", "x", body=body()))),
    Case("If", "m.onnx", OPERATOR, of(node("If", "x", then_branch=body(), else_branch=body()))),
    Case("random numbers", "m.onnx", OPERATOR, of(node("RandomNormalLike"))),
    Case("a graph in an allowed operator", "m.onnx", OPERATOR, of(node("Identity", body=body()))),
    Case("graphs in graphs, 5 deep", "m.onnx", OPERATOR, lambda _: nested(5)),
    Case("graphs in graphs, 500 deep", "m.onnx", CORRUPT, lambda _: nested(500)),
    Case(
        "a constant of 2 ** 50 numbers", "m.onnx", LARGE,
        of(node("ConstantOfShape", "s"), s=shape(1 << 25, 1 << 25)),
    ),
    Case(
        "a constant as large as an input says", "m.onnx", LARGE,
        of(helper.make_node("Cast", ["x"], ["s"], to=TensorProto.INT64),
           node("ConstantOfShape", "s")),
    ),
    Case(
        "a constant of a shape times a million", "m.onnx", LARGE,
        of(helper.make_node("Shape", ["x"], ["a"]),
           helper.make_node("Concat", ["a", "m"], ["s"], axis=0),
           node("ConstantOfShape", "s"), m=shape(1_000_000)),
    ),
    Case("values that double forty times", "m.onnx", LARGE, doubling),
    Case("10,000 inputs", "m.onnx", INPUTS, many_inputs),
    Case("no inputs", "m.onnx", INPUTS, lambda _: model(
        [node("Identity", "w")], {"w": np.ones(1, np.float32)}, inputs=[]).SerializeToString()),
    Case("markup as a name", "m.onnx", INPUTS, named("<script>alert(1)</script>")),
    Case("control characters in a name", "m.onnx", INPUTS, named("a\x1b[31m\x00b")),
    Case("a name that turns the text around", "m.onnx", INPUTS, named("salary\u202egpj.exe")),
    Case("a name of 300 signs", "m.onnx", INPUTS, named("x" * 300)),
    Case("pictures", "m.onnx", INPUTS, lambda _: model(
        [ONE], inputs=[value("x", TensorProto.FLOAT, [None, 3, 9, 9])]).SerializeToString()),
    Case("complex numbers", "m.onnx", INPUTS, lambda _: model(
        [ONE], inputs=[value("x", TensorProto.COMPLEX64, COLUMN)]).SerializeToString()),
    Case("a tensor that claims more", "m.onnx", TENSOR, lying(dims=[1_000])),
    Case("a tensor that claims less", "m.onnx", TENSOR, lying(dims=[0])),
    Case("a negative dimension", "m.onnx", TENSOR, lying(dims=[-1])),
    Case("2 ** 62 elements", "m.onnx", LARGE, lying(dims=[1 << 31, 1 << 31])),
    Case("an unknown type", "m.onnx", TENSOR, lying(data_type=99)),
    Case("a text that is none", "m.onnx", TENSOR, of(
        node("LabelEncoder", "x", domain=ML, keys_floats=[1.0], values_strings=[b"\xff\xfe"]))),
    Case("a feature beyond the rows", "m.onnx", FAILS, tree(nodes_featureids=[9_999, 0, 0])),
    Case("a feature below zero", "m.onnx", TREE, tree(nodes_featureids=[-1, 0, 0])),
    Case("a feature of 2 ** 40", "m.onnx", TREE, tree(nodes_featureids=[1 << 40, 0, 0])),
    Case("a cycle", "m.onnx", TREE, tree(nodes_truenodeids=[0, 0, 0])),
    Case("a child beyond", "m.onnx", TREE, tree(nodes_falsenodeids=[1 << 30, 0, 0])),
    Case("a node twice", "m.onnx", TREE, tree(nodes_nodeids=[0, 1, 1])),
    Case("too few values", "m.onnx", TREE, tree(nodes_values=[0.5])),
    Case("too few modes", "m.onnx", TREE, tree(nodes_modes=["BRANCH_LEQ"])),
    Case("an unknown mode", "m.onnx", TREE, tree(nodes_modes=["EVIL", "LEAF", "LEAF"])),
    Case("no nodes", "m.onnx", TREE, of(node("TreeEnsembleRegressor", "x", domain=ML))),
    Case("a target beyond", "m.onnx", TREE, tree(target_ids=[0, 5])),
    Case("too many weights", "m.onnx", TREE, tree(target_weights=[1.0] * 9)),
    Case("weights of a missing node", "m.onnx", TREE, tree(target_nodeids=[1, 77])),
    Case("2 ** 40 targets", "m.onnx", TREE, tree(n_targets=1 << 40)),
    Case("a class beyond", "m.onnx", TREE, classifier(class_ids=[0, 2])),
    Case("too few class weights", "m.onnx", TREE, classifier(class_weights=[1.0])),
    Case("too few support vectors", "m.onnx", ATTRIBUTES, support(n_supports=1_000_000)),
    Case("support vectors cut short", "m.onnx", ATTRIBUTES, support(support_vectors=[0.1])),
    Case("a linear model cut short", "m.onnx", ATTRIBUTES, of(
        node("LinearRegressor", "x", domain=ML, coefficients=[1.0], intercepts=[1.0], targets=9))),
    Case("a linear classifier cut short", "m.onnx", ATTRIBUTES, of(
        helper.make_node("LinearClassifier", ["x"], ["l", "y"], domain=ML, intercepts=[0.0] * 3,
                         coefficients=[1.0], classlabels_ints=[0, 1, 2]))),
    Case("keys without values", "m.onnx", ATTRIBUTES, of(
        node("LabelEncoder", "x", domain=ML, keys_floats=[1.0, 2.0], values_floats=[1.0]))),
    Case("a vector of 2 ** 40", "m.onnx", ATTRIBUTES, of(
        node("FeatureVectorizer", "x", domain=ML, inputdimensions=[1 << 40]))),
    Case("a value written twice", "m.onnx", CORRUPT, of(ONE, ONE)),
    Case("a value that nobody writes", "m.onnx", CORRUPT, of(node("Identity", "nowhere"))),
    Case("a node before its input", "m.onnx", CORRUPT, of(
        node("Identity", "z"), helper.make_node("Identity", ["x"], ["z"]))),
    Case("an output that nobody writes", "m.onnx", CORRUPT, of(
        helper.make_node("Identity", ["x"], ["z"]))),
    Case("no graph", "m.onnx", CORRUPT, lambda _: ModelProto(
        ir_version=10, producer_name="nobody at all").SerializeToString()),
    Case("cut short", "m.onnx", CORRUPT, lambda _: plus_one().SerializeToString()[:-4]),
    Case("a field of the future", "m.onnx", CORRUPT,
         lambda _: plus_one().SerializeToString() + b"\xfa\x06\x03abc"),
    Case("a graph of the future", "m.onnx", VERSION, changed(
        lambda found: found.opset_import[0].CopyFrom(helper.make_opsetid("", 999)))),
    Case("two versions at once", "m.onnx", VERSION, changed(
        lambda found: found.opset_import.append(helper.make_opsetid("", 7)))),
    Case("no version", "m.onnx", VERSION, changed(lambda found: found.ClearField("opset_import"))),
    Case("NaN for every row", "m.onnx", FAILS, of(
        helper.make_node("Sub", ["x", "x"], ["z"]), node("Div", "z", "z"))),
    Case("infinity for every row", "m.onnx", FAILS, of(
        helper.make_node("Sub", ["x", "x"], ["z"]), node("Div", "one", "z"),
        one=np.ones(1, np.float32))),
    Case("two numbers a row", "m.onnx", FAILS, of(
        helper.make_node("Concat", ["x", "x"], ["y"], axis=1))),
    Case("one number for all rows", "m.onnx", "onnx_cannot_run", of(
        helper.make_node("ReduceMax", ["x"], ["y"], keepdims=1))),
]  # fmt: skip
