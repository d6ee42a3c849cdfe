"""TreeEnsemble nodes as flat arrays in preorder, as `light.js` walks them.

A node's true branch is the one behind it, so that only the false one needs a number. All trees
stand in one array; each says which targets its leaves add to.
"""

from typing import Any

import numpy as np

from models_hub.browser.drafting import Draft, NotInLane
from models_hub.formats.onnx_tensors import Places

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
        modes = _modes_of(attributes["nodes_modes"])
        if len(modes) > MOST_NODES:
            raise NotInLane(f"TreeEnsemble of {len(modes):,} nodes")
        trees, nodes = self._integers("nodes_treeids"), self._integers("nodes_nodeids")
        self._places = Places(trees, nodes)
        self._position, self._other, self._roots = self._preorder(trees, modes != _LEAF)
        self._order = np.argsort(self._position)
        self._modes = modes[self._order]
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

    def _integers(self, name: str) -> Any:
        return np.asarray(self._of[name], dtype=np.int64)

    def _column(self, name: str) -> Any:
        return self._integers(name)[self._order]

    def _shown_modes(self) -> Any:
        """How each node compares; one number where all do alike."""
        kinds = np.unique(self._modes[~self._leaves])
        return np.maximum(self._modes, 0) if len(kinds) > 1 else np.append(kinds, [0])[:1]

    def _preorder(self, trees: Any, inner: Any) -> tuple[Any, Any, Any]:
        """Each node's position; by position, where its false branch begins; where each tree does.

        A node stands one behind the node above it, or behind all of that one's true branch.
        """
        yes, no = np.zeros((2, len(trees)), dtype=np.int64)
        yes[inner] = self._places.find(trees[inner], self._integers("nodes_truenodeids")[inner])
        no[inner] = self._places.find(trees[inner], self._integers("nodes_falsenodeids")[inner])
        is_root = np.ones(len(trees), dtype=bool)
        is_root[yes[inner]] = is_root[no[inner]] = False
        levels = [np.flatnonzero(is_root)]
        while len(above := levels[-1][inner[levels[-1]]]):
            levels.append(np.concatenate([yes[above], no[above]]))
        size = np.ones(len(trees), dtype=np.int64)  # of the tree below a node, and itself
        for level in reversed(levels):
            above = level[inner[level]]
            size[above] += size[yes[above]] + size[no[above]]
        position = np.zeros(len(trees), dtype=np.int64)
        position[levels[0]] = np.cumsum(size[levels[0]]) - size[levels[0]]
        for level in levels:
            above = level[inner[level]]
            position[yes[above]] = position[above] + 1
            position[no[above]] = position[above] + 1 + size[yes[above]]
        other = np.zeros(len(trees), dtype=np.int64)
        other[position[inner]] = position[no[inner]]
        return position, other, position[levels[0]]

    def _weights(self) -> tuple[Any, Any, Any]:
        """All leaves' weights; per tree how many targets it has, and which; per leaf its first
        weight. A leaf that says nothing of one of its tree's targets adds 0 to it."""
        trees, nodes, targets = (
            self._integers(f"{self._kind}_{name}") for name in ("treeids", "nodeids", "ids")
        )
        weights = self.numbers(f"{self._kind}_weights").astype(float)
        at = self._position[self._places.find(trees, nodes)]
        kept = self._leaves[at]  # what else has a weight adds nothing
        at, weights = at[kept], weights[kept]
        number = np.searchsorted(self._roots, np.arange(len(self._order)), "right") - 1  # of a tree
        most = targets.max(initial=0) + 1
        said = number[at] * most + targets[kept]  # a tree and a target of it
        pairs = np.unique(said)
        counts = np.bincount(pairs // most, minlength=len(self._roots))
        starts = np.cumsum(counts) - counts
        widths = np.where(self._leaves, counts[number], 0)
        first = np.cumsum(widths) - widths
        flat = np.zeros(widths.sum())
        np.add.at(flat, first[at] + np.searchsorted(pairs, said) - starts[number[at]], weights)
        named = np.insert(pairs % most, starts, counts)
        return flat.astype(self._dtype), named, first[self._leaves]


def _modes_of(texts: list[bytes]) -> Any:
    kinds, which = np.unique(np.asarray(texts), return_inverse=True)
    return np.array([_mode(kind) for kind in kinds.tolist()], dtype=np.int16)[which]


def _mode(text: bytes) -> int:
    return _LEAF if text == b"LEAF" else _MODES.index(text)
