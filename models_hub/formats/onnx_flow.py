"""Does a graph's data flow from its inputs to its outputs, through tensors of bounded size?"""

import math
from typing import Any

from onnx import numpy_helper

from models_hub.formats.refusal import Refused

MAX_CONSTANT = 10_000_000  # elements that a ConstantOfShape may make by itself
MAX_FACTOR = 10_000  # and times the size that its input has
#: What may lie between a Shape and the ConstantOfShape that it feeds.
_RESHAPING = {"Cast", "Concat", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze"}


def check_flow(graph: Any) -> None:
    """Raise `Refused` (`onnx_corrupt`, `onnx_too_large`) unless every value is written once and
    before it is read, and no constant is made in a size that the graph does not bound."""
    known = _given(graph)
    for node in graph.node:
        if any(name and name not in known for name in node.input):
            raise Refused("onnx_corrupt", "A node of the graph reads a value that is not there.")
        for name in filter(None, node.output):
            if name in known:
                raise Refused("onnx_corrupt", "A value of the graph is written twice.")
            known.add(name)
    outputs = [value.name for value in graph.output]
    if len(set(outputs)) != len(outputs) or not known.issuperset(outputs):
        raise Refused("onnx_corrupt", "An output of the graph is never written, or named twice.")
    _check_sizes(graph)
    _check_growth(graph)


def _given(graph: Any) -> set[str]:
    names = [value.name for value in (*graph.input, *graph.initializer)]
    if len(set(names)) != len(names) or "" in names:
        raise Refused("onnx_corrupt", "Two inputs or weights of the graph share one name.")
    return set(names)


def _check_sizes(graph: Any) -> None:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    writers = {}
    for node in graph.node:
        writers.update(dict.fromkeys(node.output, node))
        if node.op_type == "Constant" and node.attribute:
            constants[node.output[0]] = node.attribute[0]
        if node.op_type == "ConstantOfShape":
            _check_constant(node.input[0] if node.input else "", constants, writers)


def _check_growth(graph: Any) -> None:
    """A value put beside itself again and again grows without anything large in the file."""
    grown: dict[str, int] = {}
    for node in graph.node:
        sizes = [grown.get(name, 1) for name in node.input]
        size = sum(sizes) if node.op_type == "Concat" else max(sizes, default=1)
        if size > MAX_CONSTANT:
            raise _unbounded()
        grown.update(dict.fromkeys(node.output, size))


def _check_constant(shape: str, constants: dict[str, Any], writers: dict[str, Any]) -> None:
    if shape in constants:
        if _size(constants[shape]) > MAX_CONSTANT:
            raise Refused("onnx_too_large", "The graph makes a constant that is too large.")
        return
    waiting, factor, steps = [shape], 1, 0
    while waiting:
        name, steps = waiting.pop(), steps + 1
        if name in constants:
            factor *= max(1, _size(constants[name]))
        elif name not in writers or steps > MAX_FACTOR:
            raise _unbounded()
        elif writers[name].op_type in _RESHAPING:
            # of these the first input is data, but of a Concat every one
            every = writers[name].op_type == "Concat"
            waiting += list(writers[name].input) if every else [writers[name].input[0]]
        elif writers[name].op_type not in ("Shape", "Size"):
            raise _unbounded()
    if factor > MAX_FACTOR:
        raise _unbounded()


def _size(constant: Any) -> int:
    """The product of a constant's numbers, those of at most one taken as one."""
    if hasattr(constant, "data_type"):
        numbers = numpy_helper.to_array(constant).ravel().tolist()
    elif constant.HasField("t"):
        numbers = numpy_helper.to_array(constant.t).ravel().tolist()
    else:
        numbers = [constant.i, *constant.ints]
    if len(numbers) > MAX_FACTOR or not all(isinstance(number, int) for number in numbers):
        raise _unbounded()
    return math.prod(max(1, number) for number in numbers)


def _unbounded() -> Refused:
    return Refused("onnx_too_large", "The graph makes a tensor whose size nothing bounds.")
