"""Decision trees as arrays, and the TreeEnsemble node that they make.

Thresholds and leaves are double tensors; only the ensemble's sum is rounded to float, by
onnxruntime. Where that is too coarse (`exact`), each leaf is split into a coarse part, whose sums
float holds exactly, and a small rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from models_hub.conversion.pen import ML, Pen


@dataclass(frozen=True, slots=True)
class TreeArrays:
    """One tree of m nodes. `values` [m, k]: what a node adds to each of the k targets if it is a
    leaf; `low_if_missing`: whether NaN goes to the left, as values <= threshold do (values below
    it, if `strict`)."""

    feature: Any
    threshold: Any
    left: Any
    right: Any
    leaf: Any
    low_if_missing: Any
    values: Any
    targets: tuple[int, ...]
    strict: bool = False

    @classmethod
    def of(
        cls, leaf: Any, feature: Any, threshold: Any, left: Any, right: Any, low: Any,
        values: Any, targets: Sequence[int] = (0,), *, strict: bool = False,
    ) -> "TreeArrays":  # fmt: skip
        """A tree of arrays whose entries at leaves mean nothing yet."""
        leaf = np.asarray(leaf, dtype=bool)
        return cls(
            np.where(leaf, 0, feature),
            np.where(leaf, 0.0, threshold),
            np.where(leaf, 0, left),
            np.where(leaf, 0, right),
            leaf,
            np.asarray(low, dtype=bool) & ~leaf,
            np.asarray(values, dtype=float).reshape(len(leaf), len(targets)),
            tuple(targets),
            strict,
        )


def summed(pen: Pen, value: str, trees: Sequence[TreeArrays], start: Any) -> str:
    """[n, k] double: `start` [k] plus what the trees add, over the columns of `value`."""
    start, every = np.atleast_1d(np.asarray(start, dtype=float)), list(trees)
    if not every:
        nothing = pen.apply("Mul", pen.gather(value, [0]), np.zeros((1, len(start))))
        return pen.apply("Add", nothing, start[None, :])
    if not pen.exact:
        return pen.double(_node(pen, value, every, start))
    both = pen.double(_node(pen, value, [_halves(tree, every) for tree in every], None))
    targets = max(max(tree.targets) for tree in every) + 1
    coarse, rest = (pen.gather(both, range(first, first + targets)) for first in (0, targets))
    return pen.apply("Add", pen.node("Add", coarse, rest), start[None, :])


def summed_single(pen: Pen, value: str, trees: Sequence[TreeArrays]) -> str:
    """[n, k] double: the trees' sum as a library makes it that computes in float: one tree after
    the other, each sum rounded. A start belongs into the first tree's leaves."""
    return pen.double(_node(pen, pen.cast(value, TensorProto.FLOAT), list(trees), None, np.float32))


def _halves(tree: TreeArrays, every: Sequence[TreeArrays]) -> TreeArrays:
    """Each leaf as a multiple of a power of two, so coarse that any sum of them is exact in float
    (24 bits), and what is left of it."""
    most = sum(float(np.abs(other.values[other.leaf]).max(initial=0.0)) for other in every)
    unit = 2.0 ** np.ceil(np.log2(max(most, np.finfo(float).tiny) / 2**22))
    coarse = np.round(tree.values / unit) * unit
    shift = max(max(other.targets) for other in every) + 1
    targets = (*tree.targets, *(target + shift for target in tree.targets))
    return replace(tree, values=np.hstack([coarse, tree.values - coarse]), targets=targets)


def _node(
    pen: Pen, value: str, trees: Sequence[TreeArrays], start: Any, dtype: Any = np.float64
) -> str:
    plain, numbers = attributes(trees)
    if start is not None:
        numbers["base_values"] = start
    given: dict[str, Any] = {
        f"{name}_as_tensor": numpy_helper.from_array(array, f"{name}_as_tensor")
        for name, array in numbers.items()
    }
    if dtype is np.float32:
        given = {name: array.astype(dtype) for name, array in numbers.items()}
    count = max(max(tree.targets) for tree in trees) + 1
    return pen.node(
        "TreeEnsembleRegressor", value, domain=ML, n_targets=count,
        aggregate_function="SUM", post_transform="NONE", **plain, **given,
    )  # fmt: skip


def attributes(trees: Iterable[TreeArrays]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trees as attributes of ai.onnx.ml.TreeEnsembleRegressor version 3.

    Returns the plain ones, and those that hold doubles (or floats, without "_as_tensor").
    https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
    """
    every = list(trees)
    ids = [np.full(len(tree.leaf), index) for index, tree in enumerate(every)]
    places = [np.arange(len(tree.leaf)) for tree in every]
    plain = {
        "nodes_treeids": _ints(ids),
        "nodes_nodeids": _ints(places),
        "nodes_featureids": _ints([tree.feature for tree in every]),
        "nodes_truenodeids": _ints([tree.left for tree in every]),
        "nodes_falsenodeids": _ints([tree.right for tree in every]),
        "nodes_missing_value_tracks_true": _ints([tree.low_if_missing for tree in every]),
        "nodes_modes": np.concatenate([_modes(tree) for tree in every]).tolist(),
        **_leaves(every),
    }
    doubles = {
        "nodes_values": np.concatenate([tree.threshold for tree in every]),
        "target_weights": np.concatenate([tree.values[tree.leaf].ravel() for tree in every]),
    }
    return plain, doubles


def _modes(tree: TreeArrays) -> Any:
    return np.where(tree.leaf, b"LEAF", b"BRANCH_LT" if tree.strict else b"BRANCH_LEQ")


def _leaves(every: list[TreeArrays]) -> dict[str, list[int]]:
    nodes, trees, targets = [], [], []
    for index, tree in enumerate(every):
        places, width = np.flatnonzero(tree.leaf), len(tree.targets)
        nodes.append(np.repeat(places, width))
        trees.append(np.full(len(places) * width, index))
        targets.append(np.tile(tree.targets, len(places)))
    return {
        "target_nodeids": _ints(nodes),
        "target_treeids": _ints(trees),
        "target_ids": _ints(targets),
    }


def _ints(parts: list[Any]) -> list[int]:
    found: list[int] = np.concatenate(parts).astype(np.int64).tolist()
    return found
