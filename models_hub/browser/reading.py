"""An ONNX graph as the compiler reads it: nodes with their attributes, values by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models_hub.browser.drafting import Draft, NotInLane

_TENSOR = 4  # onnx.AttributeProto.TENSOR
CONSTANT = "Constant"
#: Element types of ONNX as `light.js` knows them.
KINDS = {
    TensorProto.FLOAT: "f",
    TensorProto.DOUBLE: "d",
    TensorProto.INT64: "i",
    TensorProto.INT32: "i",
    TensorProto.BOOL: "b",
    TensorProto.STRING: "s",
}


class Node:
    """A node's inputs and attributes. What nobody asked for by the end is not supported."""

    def __init__(self, node: Any) -> None:
        self.kind: str = node.op_type
        self.inputs = list(node.input)
        self.outputs = len(node.output)
        self.attributes = {item.name: _value(item) for item in node.attribute}
        self._asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or what it is without being said."""
        self._asked.add(name)
        return self.attributes.get(name, default)

    def ignore(self, *names: str) -> None:
        """These attributes change nothing for us."""
        self._asked.update(names)

    def check(self) -> None:
        """Raise NotInLane for an attribute that was not read."""
        if unread := sorted(self.attributes.keys() - self._asked):
            raise NotInLane(f"{self.kind} with {unread[0]}")


class Reader:
    """The graph's values: what they are called there, and their numbers in the draft."""

    def __init__(self, draft: Draft, graph: Any, opsets: dict[str, int]) -> None:
        self.draft, self.opsets = draft, opsets
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._arrays = {
            node.output[0]: _constant(node) for node in graph.node if node.op_type == CONSTANT
        }
        self._numbers = {name: place for place, name in enumerate(draft.inputs)}

    def value(self, name: str) -> int:
        """The number of a value; a constant is written when it is first read."""
        if name not in self._numbers:
            self._numbers[name] = self.draft.constant(self._array(name))
        return self._numbers[name]

    def keep(self, names: Sequence[str], first: int) -> None:
        """The values that a node gave, from the number `first` on."""
        self._numbers.update({name: first + k for k, name in enumerate(names)})

    def known(self, node: Node, place: int) -> Any:
        """The array of an input that must be constant, None where it is left out."""
        name = node.inputs[place] if place < len(node.inputs) else ""
        if not name:
            return None
        if name not in self._constants and name not in self._arrays:
            raise NotInLane(f"{node.kind} with a computed input {place + 1}")
        return self._array(name)

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            self._arrays[name] = to_array(self._constants[name])
        return self._arrays[name]

    def one(self, operator: str, node: Node, **attributes: Any) -> int:
        """The node as one operator of ours, with the same inputs."""
        node.check()
        inputs = [self.value(name) for name in node.inputs]
        return self.draft.node(operator, *inputs, outputs=node.outputs, **attributes)

    def scalar(self, value: float, kind: str) -> int:
        """A number as a constant of type d, f or i."""
        dtype = {"d": np.float64, "f": np.float32, "i": np.int64}[kind]
        return self.draft.constant(np.asarray(value, dtype=dtype))


def to_array(tensor: Any) -> Any:
    """A tensor's values; texts as objects."""
    if tensor.data_type == TensorProto.STRING:
        texts = [text.decode() for text in tensor.string_data]
        return np.array(texts, dtype=object).reshape(tuple(tensor.dims))
    return numpy_helper.to_array(tensor)


def _constant(node: Any) -> Any:
    """A Constant node's value."""
    (attribute,) = node.attribute
    value, kind = _value(attribute), attribute.name.removeprefix("value_")[:1]
    if isinstance(value, np.ndarray):
        return value
    dtype: Any = {"i": np.int64, "f": np.float32}.get(kind, object)
    return np.asarray(value, dtype=dtype)


def _value(attribute: Any) -> Any:
    if attribute.type == _TENSOR:
        return to_array(attribute.t)
    return helper.get_attribute_value(attribute)
