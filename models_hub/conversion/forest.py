"""The trees of scikit-learn's ensembles as arrays: what a TreeEnsemble node is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class TreeArrays:
    """One tree of m nodes. `values` [m, k]: what a node adds to each of the k targets if it is a
    leaf; `low_if_missing`: whether NaN goes to the left, as values <= threshold do."""

    feature: Any
    threshold: Any
    left: Any
    right: Any
    leaf: Any
    low_if_missing: Any
    values: Any
    targets: tuple[int, ...]


def classic(tree: Any, values: Any, targets: Sequence[int] = (0,)) -> TreeArrays:
    """A `sklearn.tree._tree.Tree`, with the values that its leaves shall add."""
    leaf = tree.children_left < 0
    missing = np.asarray(tree.missing_go_to_left).astype(bool)
    return TreeArrays(
        np.where(leaf, 0, tree.feature),
        np.where(leaf, 0.0, tree.threshold),
        np.where(leaf, 0, tree.children_left),
        np.where(leaf, 0, tree.children_right),
        leaf,
        missing & ~leaf,
        np.asarray(values, dtype=float).reshape(len(leaf), len(targets)),
        tuple(targets),
    )


def histogram(predictor: Any, target: int) -> TreeArrays:
    """A TreePredictor of HistGradientBoosting, adding to one target."""
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    if nodes["is_categorical"].any():
        raise NotImplementedError("HistGradientBoosting with categorical features")
    return TreeArrays(
        np.where(leaf, 0, nodes["feature_idx"]),
        np.where(leaf, 0.0, nodes["num_threshold"]),
        np.where(leaf, 0, nodes["left"]),
        np.where(leaf, 0, nodes["right"]),
        leaf,
        nodes["missing_go_to_left"].astype(bool) & ~leaf,
        nodes["value"].astype(float)[:, None],
        (target,),
    )


def attributes(trees: Iterable[TreeArrays]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trees as attributes of ai.onnx.ml.TreeEnsembleRegressor version 3.

    Returns the plain ones and those that hold doubles, to be given as tensors.
    https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
    """
    every = list(trees)
    ids = [np.full(len(tree.leaf), index) for index, tree in enumerate(every)]
    places = [np.arange(len(tree.leaf)) for tree in every]
    modes = np.concatenate([tree.leaf for tree in every])
    plain = {
        "nodes_treeids": _ints(ids),
        "nodes_nodeids": _ints(places),
        "nodes_featureids": _ints([tree.feature for tree in every]),
        "nodes_truenodeids": _ints([tree.left for tree in every]),
        "nodes_falsenodeids": _ints([tree.right for tree in every]),
        "nodes_missing_value_tracks_true": _ints([tree.low_if_missing for tree in every]),
        "nodes_modes": np.where(modes, "LEAF", "BRANCH_LEQ").tolist(),
        **_leaves(every),
    }
    doubles = {
        "nodes_values_as_tensor": np.concatenate([tree.threshold for tree in every]),
        "target_weights_as_tensor": np.concatenate(
            [tree.values[tree.leaf].ravel() for tree in every]
        ),
    }
    return plain, doubles


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
