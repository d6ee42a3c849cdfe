"""Writing ONNX nodes at one end of a graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper

ML = "ai.onnx.ml"
LONG = 1_000


class Pen:
    """Notes nodes and constants for a graph; `append` or `prepend` puts the nodes into it.

    Names of values go in and come out; each new one is unique in the graph.
    """

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self.exact = False  # must sums of trees be exact in double? So where they are inputs
        self.refusals: list[str] | None = None  # [n, 1] each: NaN for a row that a step refuses
        self._count = 0

    def name(self, kind: str) -> str:
        """A value's name that the graph does not use yet."""
        self._count += 1
        return f"berth_{kind.lower()}_{len(self.graph.node)}_{self._count}"

    def constant(self, array: Any) -> str:
        """The name of a new initializer with the array's values, shape and dtype."""
        array, name = np.asarray(array), self.name("constant")
        if array.dtype.kind in "OUS":
            tensor = TensorProto(name=name, data_type=TensorProto.STRING, dims=array.shape)
            tensor.string_data.extend(str(item).encode() for item in array.ravel())
        else:
            tensor = numpy_helper.from_array(np.ascontiguousarray(array), name)
        self.graph.initializer.append(tensor)
        return name

    def number(self, value: Any) -> str:
        """The name of a constant of doubles."""
        return self.constant(np.asarray(value, dtype=np.float64))

    def node(self, kind: str, *inputs: str, domain: str = "", out: str = "", **attrs: Any) -> str:
        """Note a node with one output; returns the output's name (`out`, or a new one)."""
        out = out or self.name(kind)
        self.several(kind, list(inputs), [out], domain=domain, **attrs)
        return out

    def several(
        self, kind: str, inputs: list[str], outputs: list[str], domain: str = "", **attrs: Any
    ) -> None:
        """Note a node with several outputs, named by the caller (`name`)."""
        node = helper.make_node(kind, inputs, outputs, domain=domain)
        for name, value in attrs.items():
            _fill(node.attribute.add(), name, value)
        self.nodes.append(node)

    def cast(self, value: str, dtype: int) -> str:
        """Cast to an ONNX element type."""
        return self.node("Cast", value, to=dtype)

    def double(self, value: str) -> str:
        """Cast to double."""
        return self.cast(value, TensorProto.DOUBLE)

    def single(self, value: str) -> str:
        """A double rounded to float and back, as a model sees it that casts its input."""
        return self.double(self.cast(value, TensorProto.FLOAT))

    def apply(self, kind: str, value: str, constant: Any) -> str:
        """A node of a value and a constant of doubles, in this order."""
        return self.node(kind, value, self.number(constant))

    def gather(self, value: str, places: Any, axis: int = 1) -> str:
        """The columns (or rows) of a value at constant places."""
        return self.node("Gather", value, self.constant(np.asarray(places, np.int64)), axis=axis)

    def joined(self, values: list[str], axis: int = 1) -> str:
        """The values side by side."""
        return values[0] if len(values) == 1 else self.node("Concat", *values, axis=axis)

    def total(self, value: str, axis: int = 1) -> str:
        """The sum over one axis, which stays with size 1."""
        return self.node("ReduceSum", value, self.constant(np.array([axis])), keepdims=1)

    def where(self, condition: str, value: str | float, other: str | float) -> str:
        """`value` where the condition holds, else `other`; either may be a constant."""
        sides = [side if isinstance(side, str) else self.number(side) for side in (value, other)]
        return self.node("Where", condition, *sides)

    def append(self) -> None:
        """Put the noted nodes behind the graph's own."""
        for node in self.nodes:  # a large forest's takes seconds by `extend`
            self.graph.node.add().CopyFrom(node)
        self.nodes = []

    def prepend(self) -> None:
        """Put the noted nodes before the graph's own."""
        own = list(self.graph.node)
        del self.graph.node[:]
        self.graph.node.extend([*self.nodes, *own])
        self.nodes = []


def _fill(attribute: AttributeProto, name: str, value: Any) -> None:
    """As `onnx.helper` makes it; long lists, of one kind here, without its checks of each item
    and without a copy of the whole."""
    long = isinstance(value, list) and len(value) >= LONG
    if long and isinstance(value[0], int):
        attribute.name, attribute.type = name, AttributeProto.INTS
        attribute.ints.extend(value)
    elif long and isinstance(value[0], bytes):
        attribute.name, attribute.type = name, AttributeProto.STRINGS
        attribute.strings.extend(value)
    else:
        attribute.CopyFrom(helper.make_attribute(name, value))


#: Takes a pen and the name of a value, has nodes written, gives the name of the outcome.
Write = Callable[[Pen, str], str]
