"""From a vetted ONNX graph to the compact form of the same graph.

Each operator is written as one of the few that `light.js` has, or as several of them. What it has
not raises `NotInLane`; whether the outcome answers as the graph does is for `measuring` to say.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from onnx import ModelProto

from models_hub import compact
from models_hub.browser.drafting import Draft, NotInLane
from models_hub.browser.operators import OPERATORS
from models_hub.browser.reading import CONSTANT, Node, Reader


def compile(model: ModelProto, signature: Mapping[str, Any], check: Mapping[str, Any]) -> bytes:
    """The file of `compact` for the light lane; the same model makes the same bytes.

    `signature` is the Signature's JSON, `check` the made rows and their answers.
    Raises `NotInLane`.
    """
    graph, sections = _graph(model)
    header = {"lane": compact.LIGHT, "signature": signature, "about": {}, "check": check, **graph}
    return compact.pack(header, sections)


def _graph(model: ModelProto) -> tuple[dict[str, Any], bytes]:
    graph = model.graph
    wanted = [value.name for value in graph.output]
    draft = Draft([value.name for value in graph.input])
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    reader = Reader(draft, graph, opsets)
    for node in _needed(graph.node, wanted):
        write = OPERATORS.get((node.domain, node.op_type))
        if write is None:
            raise NotInLane(node.op_type)
        reader.keep(node.output, write(reader, Node(node)))
    return draft.finish([reader.value(name) for name in wanted])


def _needed(nodes: Sequence[Any], wanted: Sequence[str]) -> list[Any]:
    """The nodes that the outputs hang on, in their order."""
    read, found = set(wanted), []
    for node in reversed(nodes):
        if read.intersection(node.output):
            read.update(node.input)
            found.append(node)
    return [node for node in found[::-1] if node.op_type != CONSTANT]
