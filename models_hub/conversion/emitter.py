"""A small pen for ONNX nodes inside a skl2onnx converter."""

from typing import Any

import numpy as np
from onnx import TensorProto
from onnx.helper import np_dtype_to_tensor_dtype

ML = "ai.onnx.ml"


class Emitter:
    """Writes nodes and constants into the container of one operator's conversion.

    Names of values go in and come out; each is unique in the graph.
    """

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self._scope, self._operator, self._container = scope, operator, container

    def constant(self, array: Any) -> str:
        """The name of a new initializer with the array's values, shape and dtype."""
        array = np.asarray(array)
        name: str = self._scope.get_unique_variable_name("constant")
        if array.dtype.kind in "OUS":
            kind, content = TensorProto.STRING, [str(item).encode() for item in array.ravel()]
        else:
            kind, content = np_dtype_to_tensor_dtype(array.dtype), array.ravel().tolist()
        self._container.add_initializer(name, kind, list(array.shape), content)
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", out: str = "", **attrs: Any) -> str:
        """Add one node with one output; returns the output's name (`out`, or a new one)."""
        out = out or self._scope.get_unique_variable_name(kind.lower())
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, list(inputs), out, op_domain=domain, name=name, **attrs)
        return out

    def cast(self, value: str, dtype: int, out: str = "") -> str:
        """Cast to an ONNX element type."""
        return self.node("Cast", value, out=out, to=dtype)

    def column(self, value: str, index: int) -> str:
        """Column `index` of an [n, k] value, as [n, 1]."""
        return self.node("Gather", value, self.constant(np.array([index])), axis=1)

    def joined(self, values: list[str], out: str = "", axis: int = 1) -> str:
        """The values side by side."""
        if len(values) == 1:
            return self.node("Identity", values[0], out=out) if out else values[0]
        return self.node("Concat", *values, out=out, axis=axis)

    @property
    def inputs(self) -> list[str]:
        """The names of the operator's inputs."""
        return [variable.full_name for variable in self._operator.inputs]

    @property
    def output(self) -> str:
        """The name of the operator's first output, which the converter must write."""
        name: str = self._operator.outputs[0].full_name
        return name

    def columns(self) -> list[str]:
        """The operator's inputs, each as its single columns of shape [n, 1]."""
        found: list[str] = []
        for variable in self._operator.inputs:
            width = variable.type.shape[1]
            if width == 1:
                found.append(variable.full_name)
            else:
                found += [self.column(variable.full_name, index) for index in range(width)]
        return found
