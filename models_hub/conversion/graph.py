"""Bringing an ONNX graph into the shape that a Bundle holds.

Inputs: one per column, [None, 1], double or string, named as the field. Outputs: `prediction`
[n, 1] for a regression; `label` and, if there are any, `probabilities` [n, k] for a
classification.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from models_hub.conversion.pen import Pen

FLOATING = (TensorProto.FLOAT, TensorProto.DOUBLE)
SHAPES: dict[str, list[int | None]] = {
    "prediction": [None, 1],
    "label": [None],
    "probabilities": [None, None],
}


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


def finish_outputs(graph: Any, names: Sequence[str]) -> None:
    """Keep the first `len(names)` outputs under these names, floating ones as double.

    An output whose name a field already has gets "_output" behind it: outputs are found by their
    place.
    """
    fields, pen = {value.name for value in graph.input}, Pen(graph)
    declared: list[Any] = []
    for output, name in zip(graph.output, names, strict=False):
        kind = output.type.tensor_type.elem_type
        value, final = output.name, f"{name}_output" if name in fields else name
        if kind in FLOATING:
            kind, value = TensorProto.DOUBLE, pen.node("Cast", value, to=TensorProto.DOUBLE)
        if name == "prediction":
            pen.node("Reshape", value, pen.constant(np.array([-1, 1])), out=final)
        else:
            pen.node("Identity", value, out=final)
        declared.append(helper.make_tensor_value_info(final, kind, SHAPES[name]))
    pen.append()
    del graph.output[:]
    graph.output.extend(declared)
