"""How each ONNX operator is written for the light lane.

A writer takes the reader and the node and gives the number of the node's first output. The
standard operators are https://onnx.ai/onnx/operators, those of ai.onnx.ml stand in `learned`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from models_hub.browser.drafting import NotInLane
from models_hub.browser.learned import LEARNED
from models_hub.browser.reading import KINDS, Node, Reader

Write = Callable[[Reader, Node], int]

_ALIKE = """
Abs Neg Exp Log Sqrt Sign Floor Ceil Round Sin Cos Tan Sinh Cosh Tanh Reciprocal Sigmoid Relu Not
IsNaN Sub Mul Div Pow Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Where MatMul
"""
_MANY = {"Add": "Add", "Sum": "Add", "Max": "Max", "Min": "Min"}
_FOLDED = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp")


def _alike(reader: Reader, node: Node) -> int:
    return reader.one(node.kind, node)


def _chained(reader: Reader, node: Node) -> int:
    """An operator of any number of inputs as one of two, again and again."""
    node.check()
    first, *rest = [reader.value(name) for name in node.inputs]
    for value in rest:
        first = reader.draft.node(_MANY[node.kind], first, value)
    return first


def _identity(reader: Reader, node: Node) -> int:
    node.check()
    return reader.value(node.inputs[0])


def _infinite(reader: Reader, node: Node) -> int:
    if not (node.get("detect_negative", 1) and node.get("detect_positive", 1)):
        raise NotInLane("IsInf of one sign")
    return reader.one("IsInf", node)


def _cast(reader: Reader, node: Node) -> int:
    to = KINDS.get(node.get("to"))
    node.ignore("saturate")
    if to in (None, "s"):
        raise NotInLane("Cast to texts" if to else "Cast to an unusual type")
    return reader.one("Cast", node, to=to)


def _clip(reader: Reader, node: Node) -> int:
    value = reader.value(node.inputs[0])
    low, high = node.get("min"), node.get("max")
    node.check()
    bounds: list[tuple[str, int]] = []
    for place, operator, attribute in ((1, "Max", low), (2, "Min", high)):
        if len(node.inputs) > place and node.inputs[place]:
            bounds.append((operator, reader.value(node.inputs[place])))
        elif attribute is not None:
            bounds.append((operator, reader.scalar(attribute, "f")))
    for operator, bound in bounds:
        value = reader.draft.node(operator, value, bound)
    return value


def _gemm(reader: Reader, node: Node) -> int:
    draft, (a, b, *c) = reader.draft, [reader.value(name) for name in node.inputs if name]
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    a = draft.node("Transpose", a) if node.get("transA", 0) else a
    b = draft.node("Transpose", b) if node.get("transB", 0) else b
    node.check()
    found = draft.node("MatMul", a, b)
    found = found if alpha == 1 else draft.node("Mul", found, reader.scalar(alpha, "d"))
    for rest in c:
        scaled = rest if beta == 1 else draft.node("Mul", rest, reader.scalar(beta, "d"))
        found = draft.node("Add", found, scaled)
    return found


def _axes(reader: Reader, node: Node) -> list[int] | None:
    """The axes, an attribute in old opsets and an input in new ones."""
    found = node.get("axes")
    given = reader.known(node, 1)
    given = found if given is None else given
    return None if given is None else [int(axis) for axis in np.ravel(given)]


def _first(reader: Reader, node: Node, operator: str, **attributes: Any) -> int:
    """One operator of the first input alone; the others became attributes."""
    node.check()
    value = reader.value(node.inputs[0])
    return reader.draft.node(operator, value, outputs=node.outputs, **attributes)


def _reduce(reader: Reader, node: Node) -> int:
    axes = _axes(reader, node)
    if not axes and node.get("noop_with_empty_axes", 0):
        raise NotInLane(f"{node.kind} of no axis")
    kind, keep = node.kind.removeprefix("Reduce"), bool(node.get("keepdims", 1))
    return _first(reader, node, "Reduce", kind=kind, axes=axes or None, keepdims=keep)


def _best(reader: Reader, node: Node) -> int:
    if node.get("select_last_index", 0):
        raise NotInLane(f"{node.kind} of the last one")
    axis, keep = node.get("axis", 0), bool(node.get("keepdims", 1))
    return _first(reader, node, node.kind, axis=axis, keepdims=keep)


def _softmax(reader: Reader, node: Node) -> int:
    new = reader.opsets.get("", 1) >= 13  # before, the rest of the axes was taken together
    axis = node.get("axis", -1 if new else 1)
    if not new and axis not in (-1, 1):
        raise NotInLane(f"{node.kind} along axis {axis}")
    return _first(reader, node, node.kind, axis=axis)


def _top(reader: Reader, node: Node) -> int:
    count = reader.known(node, 1)
    if count is None:
        raise NotInLane("TopK of an old opset")
    node.ignore("sorted")
    axis, largest = node.get("axis", -1), bool(node.get("largest", 1))
    return _first(reader, node, "TopK", axis=axis, k=int(np.ravel(count)[0]), largest=largest)


def _running(reader: Reader, node: Node) -> int:
    axis = int(np.ravel(reader.known(node, 1))[0])
    exclusive, reverse = (bool(node.get(name, 0)) for name in ("exclusive", "reverse"))
    return _first(reader, node, "CumSum", axis=axis, exclusive=exclusive, reverse=reverse)


def _reshape(reader: Reader, node: Node) -> int:
    if node.get("allowzero", 0):
        raise NotInLane("Reshape with allowzero")
    shape = reader.known(node, 1)
    shape = node.get("shape") if shape is None else shape
    return _first(reader, node, "Reshape", shape=[int(n) for n in shape])


def _flatten(reader: Reader, node: Node) -> int:
    if node.get("axis", 1) != 1:
        raise NotInLane("Flatten along another axis")
    return _first(reader, node, "Reshape", shape=[0, -1])


def _concat(reader: Reader, node: Node) -> int:
    return reader.one("Concat", node, axis=node.get("axis", 1))


def _gather(reader: Reader, node: Node) -> int:
    return reader.one(node.kind, node, axis=node.get("axis", 0))


def _transpose(reader: Reader, node: Node) -> int:
    return reader.one("Transpose", node, perm=node.get("perm"))


OPERATORS: dict[tuple[str, str], Write] = {
    **{("", name): _alike for name in _ALIKE.split()},
    **{("", name): _chained for name in _MANY},
    **{("", f"Reduce{name}"): _reduce for name in _FOLDED},
    ("", "Identity"): _identity,
    ("", "IsInf"): _infinite,
    ("", "Cast"): _cast,
    ("", "Clip"): _clip,
    ("", "Gemm"): _gemm,
    ("", "ArgMax"): _best,
    ("", "ArgMin"): _best,
    ("", "Softmax"): _softmax,
    ("", "LogSoftmax"): _softmax,
    ("", "TopK"): _top,
    ("", "CumSum"): _running,
    ("", "Reshape"): _reshape,
    ("", "Flatten"): _flatten,
    ("", "Concat"): _concat,
    ("", "Gather"): _gather,
    ("", "GatherElements"): _gather,
    ("", "Transpose"): _transpose,
    **{("ai.onnx.ml", name): write for name, write in LEARNED.items()},
}
