"""TreeEnsemble nodes as flat arrays in preorder, as `light.js` walks them.

A node's true branch is the one behind it, so that only the false one needs a number. All trees
stand in one array; each says which targets its leaves add to.
"""

from collections import defaultdict
from typing import Any

import numpy as np

from models_hub.browser.drafting import Draft, NotInLane

MOST_NODES = 400_000  # with more, the file is too large for a page
_MODES = [b"BRANCH_LEQ", b"BRANCH_LT", b"BRANCH_GTE", b"BRANCH_GT", b"BRANCH_EQ", b"BRANCH_NEQ"]
_LEAF = -1


class Forest:
    """The attributes of one TreeEnsembleRegressor or -Classifier.

    `kind` is how its leaves' attributes begin: target or class. `dtype`: that of the sums. The
    graph was vetted: every tree is one, and its attributes agree.
    """

    def __init__(self, attributes: dict[str, Any], kind: str, dtype: Any) -> None:
        self._of, self._kind, self._dtype = attributes, kind, dtype
        modes = np.array([_mode(mode) for mode in attributes["nodes_modes"]], dtype=np.int16)
        if len(modes) > MOST_NODES:
            raise NotInLane(f"TreeEnsemble of {len(modes):,} nodes")
        order, self._other, self._roots = self._preorder(modes == _LEAF)
        self._order, self._modes = np.array(order), modes[order]
        self._leaves = self._modes == _LEAF

    def numbers(self, name: str) -> Any:
        """A list of numbers, in double or in float as the graph has it; empty if there is none."""
        found = self._of.get(f"{name}_as_tensor", self._of.get(name, ()))
        return np.asarray(found, dtype=self._dtype)

    def write(self, draft: Draft, value: int, targets: int, *, mean: bool) -> int:
        """[n, targets] float: the sums of the leaves that each row of `value` falls into."""
        feature = np.where(self._leaves, _LEAF, self._column("nodes_featureids"))
        threshold = np.where(self._leaves, 0, self.numbers("nodes_values")[self._order])
        weights, wanted, first = self._weights()
        other = self._other.copy()
        other[self._leaves] = first
        base = self.numbers("base_values")
        arrays = [
            feature, threshold.astype(self._dtype), other, weights, self._roots, wanted,
            base if len(base) == targets else np.zeros(targets, self._dtype), self._shown_modes(),
        ]  # fmt: skip
        if len(self._of.get("nodes_missing_value_tracks_true", ())):
            missing = self._column("nodes_missing_value_tracks_true")
            arrays += [missing] if missing.any() else []
        inputs = [draft.constant(array, "r") for array in arrays]
        return draft.node("Trees", value, *inputs, n=targets, mean=mean)

    def _column(self, name: str) -> Any:
        return np.asarray(self._of[name], dtype=np.int64)[self._order]

    def _shown_modes(self) -> Any:
        """How each node compares; one number where all do alike."""
        kinds = np.unique(self._modes[~self._leaves])
        return np.maximum(self._modes, 0) if len(kinds) > 1 else np.append(kinds, [0])[:1]

    def _preorder(self, leaf: Any) -> tuple[list[int], Any, Any]:
        """The nodes' order; where each one's false branch begins; where each tree begins."""
        trees, ids, yes, no = (
            np.asarray(self._of[f"nodes_{name}"]).tolist()
            for name in ("treeids", "nodeids", "truenodeids", "falsenodeids")
        )
        place = {key: k for k, key in enumerate(zip(trees, ids, strict=True))}
        inner = np.flatnonzero(~leaf).tolist()
        below = {place[trees[k], side[k]] for k in inner for side in (yes, no)}
        order: list[int] = []
        roots: list[int] = []
        other = np.zeros(len(ids), dtype=np.int64)
        is_leaf = leaf.tolist()
        for root in (k for k in range(len(ids)) if k not in below):
            roots.append(len(order))
            todo = [(root, -1)]
            while todo:
                node, above = todo.pop()
                if above >= 0:
                    other[above] = len(order)
                here, tree = len(order), trees[node]
                order.append(node)
                if not is_leaf[node]:
                    todo += [(place[tree, no[node]], here), (place[tree, yes[node]], -1)]
        return order, other, np.array(roots)

    def _weights(self) -> tuple[Any, Any, list[int]]:
        """All leaves' weights; per tree how many targets it has, and which; per leaf its first
        weight. A leaf that says nothing of one of its tree's targets adds 0 to it."""
        given: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
        by_tree: dict[int, set[int]] = defaultdict(set)
        columns = (self._of[f"{self._kind}_{name}"] for name in ("treeids", "nodeids", "ids"))
        weights = self.numbers(f"{self._kind}_weights").tolist()
        for tree, node, target, weight in zip(*columns, weights, strict=True):
            said = given[tree, node]
            said[target] = said.get(target, 0.0) + weight
            by_tree[tree].add(target)
        trees, ids = (self._column(f"nodes_{name}").tolist() for name in ("treeids", "nodeids"))
        wanted = {trees[root]: sorted(by_tree[trees[root]]) for root in self._roots.tolist()}
        flat: list[float] = []
        first: list[int] = []
        for leaf in np.flatnonzero(self._leaves).tolist():
            first.append(len(flat))
            flat += [given[trees[leaf], ids[leaf]].get(k, 0.0) for k in wanted[trees[leaf]]]
        named = [[len(wanted[trees[root]]), *wanted[trees[root]]] for root in self._roots.tolist()]
        targets = np.array([item for one in named for item in one], dtype=np.int64)
        return np.array(flat, dtype=self._dtype), targets, first


def _mode(text: bytes) -> int:
    if text == b"LEAF":
        return _LEAF
    return _MODES.index(text)
