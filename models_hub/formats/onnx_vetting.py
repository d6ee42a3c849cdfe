"""Reading an ONNX file that nobody vouches for: parsed, and held against allow-lists and bounds.

No session is created here. Used on uploads, and again on every graph that a conversion made.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from onnx import ModelProto, TensorProto, numpy_helper

from models_hub.formats.onnx_operators import ALLOWED, NEWEST_OPSET
from models_hub.formats.onnx_tensors import MAX_ELEMENTS, check_tensor, check_tree
from models_hub.formats.refusal import Refused

MAX_NODES = 50_000
MAX_INPUTS = 2_000
MAX_NODE_INPUTS = 4_096
INPUT_TYPES = {
    TensorProto.FLOAT: "float",
    TensorProto.DOUBLE: "double",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.BOOL: "bool",
    TensorProto.STRING: "string",
}


def vet(data: bytes) -> ModelProto:
    """The model that the bytes describe, if it keeps every rule; raises `Refused` if not."""
    model = _parse(data)
    if model.functions:
        raise Refused("onnx_operator_not_allowed", "The model defines functions of its own.")
    if model.training_info:
        raise Refused("onnx_operator_not_allowed", "The model carries training information.")
    _check_versions(model)
    _check_tensors(model)
    _check_nodes(model.graph)
    _check_inputs(model.graph)
    return model


def _parse(data: bytes) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError, ValueError) as error:
        raise Refused("onnx_corrupt", "This is not a complete ONNX file.") from error
    if not model.HasField("graph") or not model.graph.node or not model.graph.output:
        raise Refused("onnx_corrupt", "The ONNX file holds no graph.")
    if len(UnknownFieldSet(model)):
        raise Refused("onnx_corrupt", "The ONNX file holds something beside a model.")
    return model


def _check_versions(model: ModelProto) -> None:
    for entry in model.opset_import:
        domain = _domain(entry.domain)
        if domain not in NEWEST_OPSET:
            raise Refused(
                "onnx_custom_domain",
                f"The model uses operators of {domain[:60]!r}; only the standard ones and "
                "ai.onnx.ml are accepted. Export it without custom or contributed operators.",
            )
        if not 1 <= entry.version <= NEWEST_OPSET[domain]:
            raise Refused(
                "onnx_version",
                f"The model needs opset {entry.version} of {domain or 'ai.onnx'}; export it "
                f"with {NEWEST_OPSET[domain]} or lower.",
            )
    if not 3 <= model.ir_version <= 13:
        raise Refused("onnx_version", f"ONNX IR version {model.ir_version} is not supported.")


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _check_tensors(model: ModelProto) -> None:
    if model.graph.sparse_initializer:
        raise Refused("onnx_tensor_invalid", "Sparse weights are not accepted.")
    if sum(check_tensor(tensor) for tensor in _tensors(model.graph)) > MAX_ELEMENTS:
        raise Refused("onnx_too_large", "The model has too many weights.")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_nodes(graph: Any) -> None:
    if len(graph.node) > MAX_NODES:
        raise Refused("onnx_too_large", f"The graph has {len(graph.node)} nodes.")
    written = Counter(name for node in graph.node for name in node.output if name)
    if written and written.most_common(1)[0][1] > 1:
        raise Refused("onnx_corrupt", "Two nodes of the graph write the same value.")
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        _check_node(node, constants)


def _check_node(node: Any, constants: dict[str, Any]) -> None:
    domain = _domain(node.domain)
    if (domain, node.op_type) not in ALLOWED:
        name = f"{domain or 'ai.onnx'}.{node.op_type}"[:80]
        code = "onnx_operator_not_allowed" if domain in NEWEST_OPSET else "onnx_custom_domain"
        raise Refused(code, f"The operator {name} is not one that tabular models need.")
    if len(node.input) > MAX_NODE_INPUTS:
        raise Refused("onnx_too_large", "A node has too many inputs.")
    for attribute in node.attribute:
        graphs = attribute.HasField("g") or attribute.graphs
        if graphs or attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise Refused("onnx_operator_not_allowed", "A node holds a graph or a sparse tensor.")
    if node.op_type in {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}:
        check_tree(node)
    if node.op_type == "ConstantOfShape":
        _check_constant_of_shape(node, constants)


def _check_constant_of_shape(node: Any, constants: dict[str, Any]) -> None:
    shape = constants.get(node.input[0]) if node.input else None
    if shape is not None:
        sizes = numpy_helper.to_array(shape).ravel().astype(object)
        if np.prod(sizes, initial=1) > 10_000_000:
            raise Refused("onnx_too_large", "The graph makes a constant that is too large.")


def _check_inputs(graph: Any) -> None:
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if not 1 <= len(inputs) <= MAX_INPUTS:
        raise Refused("onnx_inputs_unsupported", f"The model has {len(inputs)} inputs.")
    for value in inputs:
        _check_input(value)


def _check_input(value: Any) -> None:
    name = value.name
    if not name.isprintable() or not 0 < len(name) <= 200:
        raise Refused("onnx_inputs_unsupported", "An input's name is empty, too long or no text.")
    if not value.type.HasField("tensor_type"):
        raise Refused("onnx_inputs_unsupported", f"The input {name[:40]!r} is not a tensor.")
    if value.type.tensor_type.elem_type not in INPUT_TYPES:
        known = ", ".join(INPUT_TYPES.values())
        raise Refused("onnx_inputs_unsupported", f"The input {name[:40]!r} is none of {known}.")
    if len(value.type.tensor_type.shape.dim) > 2:
        raise Refused(
            "onnx_inputs_unsupported",
            f"The input {name[:40]!r} has more than two dimensions; a table's column has [n, 1].",
        )
