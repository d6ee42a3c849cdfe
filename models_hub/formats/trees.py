"""Are the trees of an opened model trees?

scikit-learn follows the child and feature numbers in a file without checking them: a crafted one
reads beyond its memory or never ends. So this runs before the first predict, in the sandbox.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from models_hub.formats.refusal import Refused

_MAX_OBJECTS = 1_000_000


def check_trees(estimator: Any) -> None:
    """Refuse (`model_damaged`) an estimator that holds a tree whose nodes point astray."""
    for part in _parts(estimator):
        kind = type(part).__name__
        if kind == "Tree" and type(part).__module__ == "sklearn.tree._tree":
            _check(part.children_left, part.children_right, part.feature, part.n_features)
        elif kind == "TreePredictor":
            nodes = part.nodes
            leaf = nodes["is_leaf"].astype(bool)
            left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in SIDES)
            _check(left, right, nodes["feature_idx"], np.inf)
            _check_bitsets(part)


SIDES = ("left", "right")


def _check(left: Any, right: Any, feature: Any, features: float) -> None:
    """Every inner node's children come after it, so walking down always ends at a leaf."""
    count, place = len(left), np.arange(len(left))
    inner = left >= 0
    sound = count > 0 and bool((inner == (right >= 0)).all())
    for child in (left[inner], right[inner]):
        sound = sound and bool(((child > place[inner]) & (child < count)).all())
    if not sound or ((feature[inner] < 0) | (feature[inner] >= features)).any():
        raise Refused("model_damaged", "A decision tree in the file points outside itself.")


def _check_bitsets(predictor: Any) -> None:
    nodes = predictor.nodes
    split = nodes["is_categorical"].astype(bool)
    rows = min(len(predictor.binned_left_cat_bitsets), len(predictor.raw_left_cat_bitsets))
    if split.any() and int(nodes["bitset_idx"][split].max()) >= rows:
        raise Refused("model_damaged", "A categorical split in the file points outside itself.")


def _parts(root: Any) -> Iterator[Any]:
    """Every object reachable through attributes, lists, tuples, dicts and object arrays."""
    waiting, seen = [root], {id(root)}
    while waiting:
        part = waiting.pop()
        yield part
        for child in _children(part):
            if id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)
        if len(seen) > _MAX_OBJECTS:
            raise Refused("model_too_large", "The file holds more than a million objects.")


def _children(part: Any) -> list[Any]:
    if isinstance(part, dict):
        found = list(part.values())
    elif isinstance(part, list | tuple):
        found = list(part)
    elif isinstance(part, np.ndarray):
        found = part.ravel().tolist() if part.dtype == object else []
    else:
        found = list(getattr(part, "__dict__", {}).values())
    return [child for child in found if not isinstance(child, str | int | float | bool | None)]
