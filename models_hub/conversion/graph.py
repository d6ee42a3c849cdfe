"""Bringing an ONNX graph into the shape that a Bundle holds.

Inputs: one per column, [None, 1], double or string, named as the field. Outputs: `prediction`
[n, 1] for a regression; `label` and, if there are any, `probabilities` [n, k] for a
classification.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models_hub.conversion.pen import Write

FLOATING = (TensorProto.FLOAT, TensorProto.DOUBLE)
SHAPES: dict[str, list[int | None]] = {
    "prediction": [None, 1],
    "label": [None],
    "probabilities": [None, None],
}
IN_FLOAT = {"SVMRegressor", "TreeEnsembleClassifier", "TreeEnsembleRegressor"}


class GraphPen:
    """Writes nodes at one end of a graph; the same calls as `Emitter`, for finished graphs."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self._count = 0

    def name(self, kind: str) -> str:
        """A value's name that the graph does not use yet."""
        self._count += 1
        return f"berth_{kind.lower()}_{len(self.graph.node)}_{self._count}"

    def constant(self, array: Any) -> str:
        """The name of a new initializer holding the array."""
        name = self.name("constant")
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", out: str = "", **attrs: Any) -> str:
        """Note a node with one output; returns the output's name."""
        out = out or self.name(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [out], domain=domain, **attrs))
        return out

    def append(self) -> None:
        """Put the noted nodes behind the graph's own."""
        self.graph.node.extend(self.nodes)
        self.nodes = []

    def prepend(self) -> None:
        """Put the noted nodes before the graph's own."""
        own = list(self.graph.node)
        del self.graph.node[:]
        self.graph.node.extend([*self.nodes, *own])
        self.nodes = []


def cast_around_trees(graph: Any) -> None:
    """Cast to float before each of skl2onnx's tree ensembles and SVMs, and back to double behind.

    scikit-learn's trees compare float32 features; everything before them must be double, or
    rounding sends rows down another branch. onnxruntime has these operators in float alone, or
    answers in float whatever comes in.
    """
    nodes, rewritten = list(graph.node), []
    for index, node in enumerate(nodes):
        if node.op_type not in IN_FLOAT or _is_ours(node):
            rewritten.append(node)
            continue
        single, raw = f"berth_tree_in_{index}", f"berth_tree_out_{index}"
        score = len(node.output) - 1  # a classifier writes its labels first
        cast = helper.make_node("Cast", [node.input[0]], [single], to=TensorProto.FLOAT)
        back = helper.make_node("Cast", [raw], [node.output[score]], to=TensorProto.DOUBLE)
        node.input[0], node.output[score] = single, raw
        rewritten += [cast, node, back]
    del graph.node[:]
    graph.node.extend(rewritten)


def _is_ours(node: Any) -> bool:
    """Written by `ensembles`, which casts by itself: it alone gives thresholds as a tensor."""
    return any(attribute.name == "nodes_values_as_tensor" for attribute in node.attribute)


def join_columns(graph: Any, names: Sequence[str]) -> None:
    """Replace the graph's one [n, k] input by k column inputs, put side by side."""
    whole = graph.input[0]
    kind = whole.type.tensor_type.elem_type
    pen = GraphPen(graph)
    pen.node("Concat", *names, out=whole.name, axis=1)
    pen.prepend()
    set_inputs(graph, [(name, kind) for name in names])


def set_inputs(graph: Any, inputs: Sequence[tuple[str, int]]) -> None:
    """Declare the graph's inputs: (name, element type), each [None, 1]."""
    del graph.input[:]
    graph.input.extend(
        helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in inputs
    )


def drop_unused_inputs(graph: Any) -> None:
    """Remove inputs that no node reads."""
    read = {name for node in graph.node for name in node.input}
    used = [value for value in graph.input if value.name in read]
    del graph.input[:]
    graph.input.extend(used)


def rename_values(graph: Any, inputs: Mapping[str, str]) -> None:
    """Give every value inside the graph a short name of ours, so that none meets a field's.

    `inputs` (old to new) says what the inputs shall be called; one that is not there gets a name
    of ours too.
    """
    names: dict[str, str] = {"": "", **inputs}

    def renamed(name: str) -> str:
        return names.setdefault(name, f"berth:{len(names)}")

    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    for node in graph.node:
        node.name = ""
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    for value in [*graph.input, *graph.output]:
        value.name = renamed(value.name)
    del graph.value_info[:]


def finish_outputs(graph: Any, names: Sequence[str], after: Sequence[Write] = ()) -> None:
    """Keep the first `len(names)` outputs under these names, floating ones as double.

    `after` are functions that the first output is sent through. An output whose name a field
    already has gets "_output" behind it: outputs are found by their place.
    """
    fields, pen = {value.name for value in graph.input}, GraphPen(graph)
    declared: list[Any] = []
    for output, name in zip(graph.output, names, strict=False):
        kind = output.type.tensor_type.elem_type
        value, final = output.name, f"{name}_output" if name in fields else name
        if kind in FLOATING:
            kind, value = TensorProto.DOUBLE, pen.node("Cast", value, to=TensorProto.DOUBLE)
        for write in after if not declared else ():
            value = write(pen, value)
        if name == "prediction":
            pen.node("Reshape", value, pen.constant(np.array([-1, 1])), out=final)
        else:
            pen.node("Identity", value, out=final)
        declared.append(helper.make_tensor_value_info(final, kind, SHAPES[name]))
    pen.append()
    del graph.output[:]
    graph.output.extend(declared)
