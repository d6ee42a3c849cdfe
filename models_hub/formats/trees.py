"""Are the trees of an opened model trees, and do they ask for columns that rows have?

See `bounds`, which finds them. Every function takes a part of a model and raises `Refused`
(`model_damaged`), or any error at all for a part whose attributes are of other types.
"""

import json
from itertools import chain
from typing import Any

import numpy as np
from sklearn.tree._tree import Tree

from models_hub.formats.refusal import Refused

SIDES = ("left", "right")
BITSET = 8  # words of 32 bits: a categorical split knows 256 categories
CATEGORIES = 256


def check_tree_model(model: Any) -> None:
    """A decision tree: its nodes, and its columns."""
    tree = model.tree_
    if type(tree) is not Tree:  # an index of neighbours, and checked as such
        return
    _demand(tree.n_features == model.n_features_in_)
    _check(tree.children_left, tree.children_right, tree.feature, tree.n_features)


def check_boosting(ensemble: Any) -> None:
    """Trees that share their ensemble's columns; one tree a round and output, where the ensemble
    adds them up in place."""
    members = ensemble.estimators_
    own_columns = "estimators_features_" in ensemble.__dict__
    for member in np.ravel(np.array(members, dtype=object)) if len(members) else ():
        tree = getattr(member, "__dict__", {}).get("tree_")
        if tree is not None and not own_columns:
            _demand(tree.n_features == ensemble.n_features_in_)
    if isinstance(members, np.ndarray) and "init_" in ensemble.__dict__:
        _check_rounds(ensemble)


def _check_rounds(ensemble: Any) -> None:
    outputs = ensemble.n_trees_per_iteration_
    _demand(ensemble.estimators_.ndim == 2 and ensemble.estimators_.shape[1] == outputs)
    for member in ensemble.estimators_.ravel():
        _demand(type(member.tree_) is Tree and member.tree_.n_outputs == 1)
    if ensemble.init_ != "zero":
        row = np.zeros((1, ensemble.n_features_in_), dtype=np.float32)
        _demand(ensemble._raw_predict_init(row).shape == (1, outputs))


def check_histograms(model: Any) -> None:
    """A model of HistGradientBoosting: its trees, its columns and its categories."""
    binned = model._bin_mapper
    categorical = np.asarray(binned.is_categorical_).astype(bool)
    features = model.n_features_in_
    _demand(categorical.shape == (features,) and len(binned.bin_thresholds_) == features)
    for column in np.flatnonzero(categorical):
        known = np.asarray(binned.bin_thresholds_[column])
        _demand(bool(((known >= 0) & (known < CATEGORIES)).all()))
    for predictor in chain.from_iterable(model._predictors):
        _check_predictor(predictor, features, categorical)


def _check_predictor(predictor: Any, features: int, categorical: Any) -> None:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in SIDES)
    _check(left, right, nodes["feature_idx"], features)
    split = nodes["is_categorical"].astype(bool) & ~leaf
    _demand(bool(categorical[nodes["feature_idx"][split]].all()))
    for sets in (predictor.binned_left_cat_bitsets, predictor.raw_left_cat_bitsets):
        _demand(sets.ndim == 2 and sets.shape[1] == BITSET)
        _demand(not split.any() or int(nodes["bitset_idx"][split].max()) < len(sets))


def check_lightgbm(booster: Any) -> None:
    """A LightGBM model, as it says itself in its text format. A split's children come after it,
    since each was made by splitting a leaf: one that points back would be followed for ever."""
    if not _is_of(booster, "lightgbm"):
        return
    features = booster.num_feature()
    for line in booster.model_to_string(num_iteration=-1).splitlines():
        name, _, numbers = line.partition("=")
        if name in ("left_child", "right_child"):
            children = np.array(numbers.split(), dtype=np.int64)
            count, place = len(children), np.arange(len(children))
            _demand(bool(((children < 0) | (children > place)).all()))
            _demand(bool(((children < count) & (children >= -count - 1)).all()))
        elif name == "split_feature":
            asked = np.array(numbers.split(), dtype=np.int64)
            _demand(bool(((asked >= 0) & (asked < features)).all()))


def check_xgboost(booster: Any) -> None:
    """An XGBoost model, as it says itself in JSON: whoever walks down from a root meets each
    node once at most. Nodes that were pruned lie about unreached, and numbers may be used again."""
    if not _is_of(booster, "xgboost"):
        return
    kind = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]
    features = booster.num_features()
    for tree in kind.get("gbtree", kind)["model"].get("trees", ()):
        left, right, asked = (
            np.array(tree[name], dtype=np.int64)
            for name in ("left_children", "right_children", "split_indices")
        )
        _demand(len(left) == len(right) == len(asked) > 0)
        met, level = 0, np.zeros(1, dtype=np.int64)
        while len(level):
            met += len(level)
            inner = level[left[level] >= 0]
            _demand(
                met <= len(left) and not ((asked[inner] < 0) | (asked[inner] >= features)).any()
            )
            level = np.concatenate([left[inner], right[inner]])
            _demand(bool(((level > 0) & (level < len(left))).all()))


def _is_of(part: Any, library: str) -> bool:
    return type(part).__module__.partition(".")[0] == library


def _check(left: Any, right: Any, feature: Any, features: int) -> None:
    """Every inner node's children come after it, so walking down always ends at a leaf."""
    count, place = len(left), np.arange(len(left))
    inner = left >= 0
    _demand(count > 0 and bool((inner == (right >= 0)).all()))
    for child in (left[inner], right[inner]):
        _demand(bool(((child > place[inner]) & (child < count)).all()))
    _demand(not ((feature[inner] < 0) | (feature[inner] >= features)).any())


def _demand(sound: bool) -> None:
    if not sound:
        raise Refused("model_damaged", "A decision tree in the file points outside itself.")
