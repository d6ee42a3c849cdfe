"""The compact form while it is being written: constants, nodes, and the numbers that name them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

#: How numpy's kinds of number are named in the compact form (`light.js`: ROOM and STORED).
_STORED = {"float64": "d", "float32": "f", "uint8": "B", "int16": "h", "int32": "l"}
_EXACT = 2**53  # JavaScript's numbers hold every whole number up to here


class NotInLane(Exception):
    """The light lane can't run the graph; the text names the operator and what it lacks of it."""


class Sections:
    """Arrays of numbers, one behind the other, each at a multiple of eight bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, array: Any) -> tuple[str, int]:
        """How the array is stored, and where."""
        kind, start = _STORED[array.dtype.name], self._size
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        self._parts.append(data + b"\0" * (-len(data) % 8))
        self._size += len(self._parts[-1])
        return kind, start

    def joined(self) -> bytes:
        return b"".join(self._parts)


class Draft:
    """Collects constants and nodes. Values are known by numbers of ours until `finish`, which puts
    the constants first, then the inputs, then what the nodes give, in order."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self.inputs = list(inputs)
        self._sections = Sections()
        self._constants: list[list[Any]] = []
        self._places: list[tuple[int, int]] = [(1, k) for k in range(len(inputs))]
        self._nodes: list[tuple[str, list[int], dict[str, Any]]] = []
        self._given = 0

    def constant(self, array: Any, kind: str = "") -> int:
        """A new constant. `kind` is its type in `light.js`; by default the array's own, and "r"
        keeps whole numbers as narrow as they are stored."""
        array = np.asarray(array)
        entry: list[Any]
        if array.dtype.kind in "OUS":
            entry = ["s", list(array.shape), "", [_text(item) for item in array.ravel().tolist()]]
        else:
            stored = _narrow(array)
            entry = [kind or _kind_of(array), list(array.shape), *self._sections.add(stored)]
        self._constants.append(entry)
        return self._placed(0, len(self._constants) - 1)

    def node(self, operator: str, *inputs: int, outputs: int = 1, **attributes: Any) -> int:
        """Note a node; the number of its first output (the others follow)."""
        self._nodes.append((operator, list(inputs), attributes))
        places = [self._placed(2, self._given + k) for k in range(outputs)]
        self._given += outputs
        return places[0]

    def _placed(self, kind: int, number: int) -> int:
        self._places.append((kind, number))
        return len(self._places) - 1

    def finish(self, outputs: Sequence[int]) -> tuple[dict[str, Any], bytes]:
        """The header's part about the graph, and the sections."""
        starts = (0, len(self._constants), len(self._constants) + len(self.inputs))

        def final(value: int) -> int:
            kind, number = self._places[value]
            return starts[kind] + number

        nodes = [
            [operator, [final(value) for value in inputs], *([attributes] if attributes else [])]
            for operator, inputs, attributes in self._nodes
        ]
        graph = {
            "inputs": self.inputs,
            "constants": self._constants,
            "nodes": nodes,
            "outputs": [final(value) for value in outputs],
        }
        return graph, self._sections.joined()


def _text(item: Any) -> str:
    return item.decode() if isinstance(item, bytes) else str(item)


def _kind_of(array: Any) -> str:
    kinds = {"f": "f" if array.dtype == np.float32 else "d", "b": "b", "i": "i", "u": "i"}
    if array.dtype.kind not in kinds or array.dtype == np.float16:
        raise NotInLane(f"numbers of type {array.dtype}")
    return kinds[array.dtype.kind]


def _narrow(array: Any) -> Any:
    """Whole numbers in as few bytes as hold them; doubles that are floats all along as floats."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind in "iu":
        if array.size and np.abs(array.astype(np.float64)).max() > _EXACT:
            raise NotInLane("whole numbers beyond 2^53")
        for kind in (np.uint8, np.int16, np.int32):
            bounds = np.iinfo(kind)
            if not array.size or (array.min() >= bounds.min and array.max() <= bounds.max):
                return array.astype(kind)
        return array.astype(np.float64)
    if array.dtype == np.float64:
        single = array.astype(np.float32)
        if np.array_equal(single.astype(np.float64), array, equal_nan=True):
            return single
    return array
