"""Do a graph's tensors and trees hold what they claim? Runtimes trust these numbers."""

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from models_hub.formats.refusal import Refused

MAX_ELEMENTS = 50_000_000
_BYTES = {
    TensorProto.FLOAT: 4, TensorProto.DOUBLE: 8, TensorProto.INT64: 8, TensorProto.INT32: 4,
    TensorProto.BOOL: 1, TensorProto.INT8: 1, TensorProto.UINT8: 1, TensorProto.FLOAT16: 2,
    TensorProto.INT16: 2, TensorProto.UINT16: 2, TensorProto.UINT32: 4, TensorProto.UINT64: 8,
}  # fmt: skip
_FIELDS = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
}


def check_tensor(tensor: Any) -> int:
    """The tensor's number of elements; `Refused` if it lies about them or keeps them outside."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise Refused(
            "onnx_external_data",
            "The model keeps its weights in another file. Save it with all weights inside.",
        )
    if tensor.HasField("segment"):
        raise Refused("onnx_tensor_invalid", "A tensor is only a segment of another.")
    if any(size < 0 for size in tensor.dims):
        raise Refused("onnx_tensor_invalid", "A tensor has a negative dimension.")
    count: int = math.prod(tensor.dims)
    if count > MAX_ELEMENTS:
        raise Refused("onnx_too_large", f"A tensor claims {count} elements.")
    if _held(tensor) != count:
        raise Refused("onnx_tensor_invalid", "A tensor does not hold what it claims to hold.")
    return count


def _held(tensor: Any) -> float:
    if tensor.data_type == TensorProto.STRING:
        return len(tensor.string_data)
    if tensor.data_type not in _BYTES:
        raise Refused("onnx_tensor_invalid", f"A tensor is of the unknown type {tensor.data_type}.")
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) / _BYTES[tensor.data_type]
    return len(getattr(tensor, _FIELDS.get(tensor.data_type, "int32_data")))


MODES = frozenset(
    b"BRANCH_" + comparison for comparison in (b"LEQ", b"LT", b"GTE", b"GT", b"EQ", b"NEQ")
) | {b"LEAF"}


def check_tree(node: Any) -> None:
    """`Refused` (`onnx_tree_invalid`) unless a TreeEnsemble node describes finite trees."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    trees, nodes = _numbers(attributes, "nodes_treeids"), _numbers(attributes, "nodes_nodeids")
    modes = list(attributes["nodes_modes"].strings) if "nodes_modes" in attributes else []
    features = _numbers(attributes, "nodes_featureids")
    lengths = {len(trees), len(nodes), len(modes), len(features)}
    lengths |= {_length(attributes, "nodes_values")}
    if len(lengths) != 1 or not modes or features.min() < 0 or features.max() > 100_000:
        raise _tree("its attributes disagree")
    places = Places(trees, nodes)
    if places.ambiguous:
        raise _tree("a node is there twice")
    if not MODES.issuperset(modes):
        raise _tree("a node compares in a way that is unknown")
    for name in ("nodes_hitrates", "nodes_missing_value_tracks_true"):
        if name in attributes and _length(attributes, name) not in (0, len(modes)):
            raise _tree("its attributes disagree")
    _check_edges(attributes, trees, modes, places)
    _check_leaves(attributes, "Classifier" in node.op_type, places)


class Places:
    """Which entry is a tree's node? By bisection of arrays, since forests have millions."""

    def __init__(self, trees: Any, nodes: Any) -> None:
        self._trees, self._nodes = np.unique(trees), np.unique(nodes)
        keys, _ = self._keys(trees, nodes)
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        self.ambiguous = bool((self._sorted[1:] == self._sorted[:-1]).any())

    def find(self, trees: Any, nodes: Any) -> Any:
        """The entries of these nodes of these trees; -1 for what is not there."""
        keys, known = self._keys(trees, nodes)
        rank, there = _ranked(self._sorted, keys)
        return np.where(known & there, self._order[rank], -1)

    def _keys(self, trees: Any, nodes: Any) -> tuple[Any, Any]:
        """One number for each pair, and whether both of it are known. Ranks, since the numbers
        themselves may be of any size."""
        tree, known_tree = _ranked(self._trees, trees)
        node, known_node = _ranked(self._nodes, nodes)
        return tree * len(self._nodes) + node, known_tree & known_node


def _ranked(ordered: Any, values: Any) -> tuple[Any, Any]:
    """The place of each value in an ordered array that is not empty, and whether it is there."""
    rank = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return rank, ordered[rank] == values


def _check_edges(attributes: Any, trees: Any, modes: Any, places: Places) -> None:
    """Every child exists and has one parent, each tree has one root, and all nodes hang on it."""
    inner = np.fromiter(map(b"LEAF".__ne__, modes), dtype=bool, count=len(modes))
    below = np.full((len(modes), 2), -1, dtype=np.int64)
    for column, side in enumerate(("nodes_truenodeids", "nodes_falsenodeids")):
        children = _numbers(attributes, side)
        if len(children) != len(modes):
            raise _tree("its attributes disagree")
        below[inner, column] = places.find(trees[inner], children[inner])
    found = below[inner].ravel()
    if (found < 0).any():
        raise _tree("a child is missing")
    parents = np.bincount(found, minlength=len(modes))
    roots = np.flatnonzero(parents == 0)
    alone = len(roots) == len(np.unique(trees)) == len(np.unique(trees[roots]))
    if parents.max() > 1 or not alone or _reached(roots, below) != len(modes):
        raise _tree("its nodes do not form trees")


def _reached(level: Any, below: Any) -> int:
    """How many nodes lie below the roots; each has one parent, so none is met twice."""
    count = 0
    while len(level):
        count += len(level)
        children = below[level].ravel()
        level = children[children >= 0]
    return count


def _check_leaves(attributes: Any, classifier: bool, places: Places) -> None:
    kind = "class" if classifier else "target"
    ids, nodes, trees = (
        _numbers(attributes, f"{kind}_{part}") for part in ("ids", "nodeids", "treeids")
    )
    if not len(ids) == len(nodes) == len(trees) == _length(attributes, f"{kind}_weights"):
        raise _tree("its leaves disagree")
    if classifier:
        targets = len(_numbers(attributes, "classlabels_int64s"))
        targets = targets or len(attributes["classlabels_strings"].strings)
    else:
        targets = attributes["n_targets"].i if "n_targets" in attributes else 1
    if not 0 < targets <= 100_000 or _length(attributes, "base_values") not in (0, 1, targets):
        raise _tree("its outputs are out of bounds")
    if len(ids) and (ids.min() < 0 or ids.max() >= targets):
        raise _tree("a leaf names an output that is not there")
    if (places.find(trees, nodes) < 0).any():
        raise _tree("a leaf's node is missing")


def _numbers(attributes: Any, name: str) -> Any:
    values = attributes[name].ints if name in attributes else []
    return np.fromiter(values, dtype=np.int64, count=len(values))


def _length(attributes: Any, name: str) -> int:
    if name in attributes:
        return max(len(attributes[name].floats), len(attributes[name].ints))
    tensor = f"{name}_as_tensor"
    return math.prod(attributes[tensor].t.dims) if tensor in attributes else 0


def _tree(what: str) -> Refused:
    return Refused("onnx_tree_invalid", f"A tree ensemble is damaged: {what}.")
