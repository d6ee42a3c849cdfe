"""LightGBM's models, from the text that the booster writes.

LightGBM compares doubles (values at the threshold go left), and splits on sets of categories.
https://lightgbm.readthedocs.io/en/stable/Advanced-Topics.html and its src/io/tree.cpp
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from models_hub.conversion.frames import frame_categories
from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.categories import Splits, coded
from models_hub.conversion.writers.forests import both
from models_hub.conversion.writers.registry import Scores, classifier, regressor
from models_hub.conversion.writers.table import Table
from models_hub.conversion.writers.trees import TreeArrays, summed

CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_ZERO, MISSING_NAN = 1, 2
IDENTITY = {"regression", "regression_l1", "huber", "fair", "quantile", "mape"}
LOG = {"poisson", "gamma", "tweedie"}


@dataclass(slots=True)
class _Model:
    """A booster's text: what stands in front of the trees, each tree's lines, the objective's
    words."""

    head: dict[str, str]
    trees: list[dict[str, str]]
    objective: list[str]


def _read(model: Any) -> _Model:
    blocks = model.booster_.model_to_string().split("\nend of trees")[0].split("\nTree=")
    head, *trees = [_lines(block) for block in blocks]
    return _Model(head, trees, head.get("objective", "regression").split())


def _lines(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {name: value for name, _, value in pairs}


def _numbers(tree: dict[str, str], name: str, dtype: Any = np.int64) -> Any:
    return np.array(tree.get(name, "").split(), dtype=np.float64).astype(dtype)


def _raw(pen: Pen, model: Any, table: Table) -> tuple[str, list[str]]:
    """[n, k] double: the scores before the link; and the objective's words."""
    read, table = _read(model), coded(pen, table, frame_categories(model))
    groups = int(read.head["num_tree_per_iteration"])
    splits = Splits(_sizes(read.trees, table.width), table.width)
    share = groups / len(read.trees) if "average_output" in read.head else 1.0
    trees = [_tree(tree, index % groups, splits, share) for index, tree in enumerate(read.trees)]
    value = table.matrix(pen)
    indicators = splits.write(pen, _codes(pen, table, splits)) if splits else []
    return summed(pen, pen.joined([value, *indicators]), trees, np.zeros(groups)), read.objective


def _sizes(trees: list[dict[str, str]], width: int) -> list[int]:
    """How many categories each column's splits speak of."""
    sizes = [0] * width
    for tree in trees:
        if int(tree.get("num_cat", 0)):
            bounds = _numbers(tree, "cat_boundaries")
            categorical = _numbers(tree, "decision_type") & CATEGORICAL > 0
            features, places = _numbers(tree, "split_feature"), _numbers(tree, "threshold")
            for feature, place in zip(features[categorical], places[categorical], strict=True):
                words = int(bounds[place + 1] - bounds[place])
                sizes[feature] = max(sizes[feature], 32 * words)
    return sizes


def _codes(pen: Pen, table: Table, splits: Splits) -> list[str]:
    """Each column's category as a place; what is missing, negative or unknown is the last."""
    codes = []
    for part, size in zip(table.columns(pen), splits.sizes, strict=True):
        whole = pen.where(pen.node("IsNaN", part.value), -1.0, part.value)
        # a number is cut, not rounded: -0.5 counts as 0
        cut = pen.node("Mul", pen.node("Sign", whole), pen.node("Floor", pen.node("Abs", whole)))
        unknown = pen.node(
            "Or", pen.apply("Less", cut, 0.0), pen.apply("GreaterOrEqual", cut, float(size))
        )
        codes.append(pen.cast(pen.where(unknown, float(size), cut), TensorProto.INT64))
    return codes


def _tree(tree: dict[str, str], group: int, splits: Splits, share: float) -> TreeArrays:
    """Inner nodes first, then the leaves, as children's numbers below zero count them."""
    if int(tree.get("is_linear", 0)):
        raise NotImplementedError("LightGBM with linear trees")
    leaves = _numbers(tree, "leaf_value", np.float64) * share
    inner = len(leaves) - 1
    if not inner:
        return TreeArrays.of([True], [0], [0.0], [0], [0], [False], leaves, (group,))
    left, right = (
        np.where(child < 0, inner + ~child, child)
        for child in (_numbers(tree, "left_child"), _numbers(tree, "right_child"))
    )
    feature, threshold, low = _decisions(tree, splits)
    nothing = np.zeros(len(leaves))
    return TreeArrays.of(
        np.arange(inner + len(leaves)) >= inner,
        np.append(feature, nothing).astype(np.int64), np.append(threshold, nothing),
        np.append(left, nothing).astype(np.int64), np.append(right, nothing).astype(np.int64),
        np.append(low, nothing), np.append(np.zeros(inner), leaves), (group,),
    )  # fmt: skip


def _decisions(tree: dict[str, str], splits: Splits) -> tuple[Any, Any, Any]:
    """Feature, threshold and whether NaN goes left, of each inner node."""
    kinds = _numbers(tree, "decision_type")
    feature = _numbers(tree, "split_feature")
    threshold = _numbers(tree, "threshold", np.float64)
    missing = (kinds >> 2) & 3
    categorical = kinds & CATEGORICAL > 0
    if ((missing == MISSING_ZERO) & ~categorical).any():
        raise NotImplementedError("LightGBM that reads zeros as missing")
    # without missing values in training, NaN counts as 0
    low = np.where(missing == MISSING_NAN, kinds & DEFAULT_LEFT > 0, threshold >= 0)
    bounds, words = _numbers(tree, "cat_boundaries"), _numbers(tree, "cat_threshold")
    for index in np.flatnonzero(categorical):
        place = int(threshold[index])
        bits = words[bounds[place] : bounds[place + 1]]
        feature[index] = splits.column(int(feature[index]), bits, False)
        threshold[index], low[index] = 0.5, False
    return feature, threshold, low


@regressor("lightgbm.LGBMRegressor")
def _regressor(pen: Pen, model: Any, table: Table) -> str:
    raw, objective = _raw(pen, model, table)
    if objective[0] in LOG:
        return pen.node("Exp", raw)
    if objective[0] not in IDENTITY:
        raise NotImplementedError(f"LightGBM's objective {objective[0][:40]}")
    if "sqrt" in objective[1:]:
        return pen.node("Mul", raw, pen.node("Abs", raw))
    return raw


@classifier("lightgbm.LGBMClassifier")
def _classifier(pen: Pen, model: Any, table: Table) -> Scores:
    raw, objective = _raw(pen, model, table)
    sigmoid = next((float(w[8:]) for w in objective if w.startswith("sigmoid:")), 1.0)
    if objective[0] == "binary":
        return Scores(both(pen, pen.node("Sigmoid", pen.apply("Mul", raw, sigmoid))))
    if objective[0] == "multiclass":
        return Scores(pen.node("Softmax", raw, axis=1))
    if objective[0] == "multiclassova":
        return Scores(pen.node("Sigmoid", pen.apply("Mul", raw, sigmoid)))
    raise NotImplementedError(f"LightGBM's objective {objective[0][:40]}")
