"""Reading an ONNX file that nobody vouches for: parsed, and held against allow-lists and bounds.

No session is created here. Used on uploads, and again on every graph that a conversion made.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from onnx import ModelProto, TensorProto

from models_hub.formats.onnx_attributes import check_attributes
from models_hub.formats.onnx_flow import check_flow
from models_hub.formats.onnx_operators import ALLOWED, NEWEST_OPSET
from models_hub.formats.onnx_rewriting import domain_of, rewritten
from models_hub.formats.onnx_tensors import MAX_ELEMENTS
from models_hub.formats.refusal import Refused

MAX_NODES = 50_000
MAX_INPUTS = 2_000
MAX_NODE_INPUTS = 4_096
#: No column is called so but to attack. Other markup is a name like any: pages show it as text.
_SCRIPT = re.compile(
    r"<\s*(script|iframe|object|embed|svg|img|style|link|meta|base|form)\b|<[^<>]*\son\w+\s*=", re.I
)
_BREAKS = str.maketrans("\n\t", "  ")  # spreadsheets' headings have them
INPUT_TYPES = {
    TensorProto.FLOAT: "float",
    TensorProto.DOUBLE: "double",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.BOOL: "bool",
    TensorProto.STRING: "string",
}


def vet(data: bytes) -> ModelProto:
    """A model written anew from what the bytes describe, if that keeps every rule.

    Raises `Refused`. The bytes themselves are for nobody else: serialise what this returns.
    """
    given = parse(data)
    if given.functions:
        raise Refused("onnx_operator_not_allowed", "The model defines functions of its own.")
    if given.training_info:
        raise Refused("onnx_operator_not_allowed", "The model carries training information.")
    _check_versions(given)
    _check_nodes(given.graph)
    _check_inputs(given.graph)
    model = rewritten(given)
    _check_tensors(model)
    for node in model.graph.node:
        check_attributes(node)
    check_flow(model.graph)
    return model


def parse(data: bytes) -> ModelProto:
    """The bytes as protobuf reads them, nothing checked. Raises `Refused` (`onnx_corrupt`)."""
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
        domain = domain_of(entry.domain)
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
    pairs = {(domain_of(entry.domain), entry.version) for entry in model.opset_import}
    domains = [domain for domain, _ in pairs]  # skl2onnx names one twice, with the same version
    if len(set(domains)) != len(domains):
        raise Refused("onnx_version", "The model imports two versions of the same operators.")
    if missing := {domain_of(node.domain) for node in model.graph.node} - {*domains}:
        known = [domain or "ai.onnx" for domain in sorted(missing & NEWEST_OPSET.keys())]
        if known:
            raise Refused("onnx_version", f"The model imports no version of {known[0]}.")
    if not 3 <= model.ir_version <= 13:
        raise Refused("onnx_version", f"ONNX IR version {model.ir_version} is not supported.")


def _check_tensors(model: ModelProto) -> None:
    if sum(math.prod(tensor.dims) for tensor in _tensors(model.graph)) > MAX_ELEMENTS:
        raise Refused("onnx_too_large", "The model has too many weights.")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _check_nodes(graph: Any) -> None:
    if len(graph.node) > MAX_NODES:
        raise Refused("onnx_too_large", f"The graph has {len(graph.node)} nodes.")
    for node in graph.node:
        _check_node(node)


def _check_node(node: Any) -> None:
    domain = domain_of(node.domain)
    if (domain, node.op_type) not in ALLOWED:
        name = f"{domain or 'ai.onnx'}.{node.op_type}"[:80]
        code = "onnx_operator_not_allowed" if domain in NEWEST_OPSET else "onnx_custom_domain"
        raise Refused(code, f"The operator {name} is not one that tabular models need.")
    if max(len(node.input), len(node.output)) > MAX_NODE_INPUTS:
        raise Refused("onnx_too_large", "A node has too many inputs or outputs.")


def _check_inputs(graph: Any) -> None:
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if not 1 <= len(inputs) <= MAX_INPUTS:
        raise Refused("onnx_inputs_unsupported", f"The model has {len(inputs)} inputs.")
    for value in inputs:
        _check_input(value)


def _check_input(value: Any) -> None:
    name = value.name
    shown = name.translate(_BREAKS).isprintable()
    if not shown or not 0 < len(name) <= 200 or _SCRIPT.search(name):
        raise Refused(
            "onnx_inputs_unsupported",
            "An input's name is empty, longer than 200 signs, a script, or no text: rename the "
            "column.",
        )
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
