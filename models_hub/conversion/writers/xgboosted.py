"""XGBoost's models, from what the booster says of itself as JSON.

XGBoost compares float32 features with float32 thresholds (values below go left), sends NaN where
each node says, and reads the zeros that a sparse matrix leaves out as missing.
https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto

from models_hub.conversion.frames import frame_categories
from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.categories import Splits, coded
from models_hub.conversion.writers.forests import both
from models_hub.conversion.writers.registry import Scores, classifier, regressor
from models_hub.conversion.writers.table import Table
from models_hub.conversion.writers.trees import TreeArrays, summed_single

LOGISTIC = {"binary:logistic", "reg:logistic"}
LOG = {"count:poisson", "reg:gamma", "reg:tweedie"}
PLAIN = {
    "reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror",
    "reg:quantileerror", "multi:softprob", "multi:softmax",
}  # fmt: skip


def _raw(pen: Pen, model: Any, table: Table) -> tuple[str, str]:
    """[n, k] double: the scores before the link; and the objective's name."""
    learner = json.loads(model.get_booster().save_raw(raw_format="json"))["learner"]
    objective = str(learner["objective"]["name"])
    groups = max(1, int(learner["learner_model_param"]["num_class"]))
    known = frame_categories(model)
    table = coded(pen, table, known)
    value = _given(pen, model, table)
    splits = Splits([len(known.get(place, ())) for place in range(table.width)], table.width)
    start = _start(learner, objective, groups)
    booster = learner["gradient_booster"]
    if "weights" in booster.get("model", {}):
        return _linear(pen, booster, value, start), objective
    weights = booster.get("weight_drop")
    trees = booster.get("gbtree", booster)["model"]
    kept = _kept(model, trees, groups)
    arrays, begun = [], set()
    for index, group in enumerate(trees["tree_info"][:kept]):
        weight = 1.0 if weights is None else float(weights[index])
        first = 0.0 if group in begun else start[group]
        begun.add(group)
        arrays.append(_tree(trees["trees"][index], group, weight, first, splits))
    return summed_single(
        pen, pen.joined([value, *_indicators(pen, value, splits)]), arrays
    ), objective


def _indicators(pen: Pen, value: str, splits: Splits) -> list[str]:
    """A column for each split on categories; what is missing or unknown counts as the last."""
    codes = []
    for place, size in enumerate(splits.sizes if splits else ()):
        column = pen.gather(value, [place])
        known = pen.where(pen.node("IsNaN", column), float(size), column)
        codes.append(pen.cast(known, TensorProto.INT64))
    return splits.write(pen, codes)


def _given(pen: Pen, model: Any, table: Table) -> str:
    value = table.matrix(pen)
    marker = getattr(model, "missing", np.nan)
    gone = [] if marker is None or np.isnan(marker) else [float(marker)]
    for absent in [*gone, *([0.0] if table.sparse else [])]:
        value = pen.where(pen.apply("Equal", value, absent), np.nan, value)
    return pen.single(value)


def _start(learner: dict[str, Any], objective: str, groups: int) -> Any:
    """[k]: the scores that the trees add to, from `base_score`, which is a prediction."""
    text = str(learner["learner_model_param"]["base_score"])
    scores = np.broadcast_to(np.array([float(x) for x in text.strip("[]").split(",")]), (groups,))
    if objective in LOGISTIC:
        return -np.log(1.0 / scores - 1.0)
    if objective in LOG:
        return np.log(scores)
    if objective not in PLAIN:
        raise NotImplementedError(f"XGBoost's objective {objective[:40]}")
    return scores


def _kept(model: Any, trees: dict[str, Any], groups: int) -> int:
    """How many trees count: those up to the best round, where training stopped early."""
    try:
        rounds = model.best_iteration + 1
    except AttributeError:
        return len(trees["trees"])
    return int(rounds * groups * int(trees["gbtree_model_param"]["num_parallel_tree"]))


def _tree(
    tree: dict[str, Any], group: int, weight: float, start: float, splits: Splits
) -> TreeArrays:
    """One tree; the first of each group begins with the start, as XGBoost's sums do."""
    left = np.array(tree["left_children"])
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotImplementedError("XGBoost with several targets")
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    leaves = np.float32(start) + np.float32(weight) * conditions
    features, low = np.array(tree["split_indices"]), np.array(tree["default_left"], dtype=bool)
    for node, right in _sets(tree):
        features[node] = splits.right(int(features[node]), right, unknown_left=bool(low[node]))
        conditions[node] = 0.5
    return TreeArrays.of(
        left < 0, features, conditions, left, tree["right_children"], low, leaves, (group,),
        strict=True,
    )  # fmt: skip


def _sets(tree: dict[str, Any]) -> Iterator[tuple[int, list[int]]]:
    """The nodes that ask for a category, each with the categories that go to the right."""
    starts, sizes = tree["categories_segments"], tree["categories_sizes"]
    for node, start, size in zip(tree["categories_nodes"], starts, sizes, strict=True):
        yield node, tree["categories"][start : start + size]


def _linear(pen: Pen, booster: dict[str, Any], value: str, start: Any) -> str:
    weights = np.array(booster["model"]["weights"], dtype=float).reshape(-1, len(start))
    value = pen.where(pen.node("IsNaN", value), 0.0, value)
    product = pen.node("MatMul", value, pen.number(weights[:-1]))
    return pen.apply("Add", product, (weights[-1] + start)[None, :])


@regressor("xgboost.XGBRegressor", "xgboost.XGBRFRegressor")
def _regressor(pen: Pen, model: Any, table: Table) -> str:
    raw, objective = _raw(pen, model, table)
    if objective in LOGISTIC:
        return pen.node("Sigmoid", raw)
    return pen.node("Exp", raw) if objective in LOG else raw


@classifier("xgboost.XGBClassifier", "xgboost.XGBRFClassifier")
def _classifier(pen: Pen, model: Any, table: Table) -> Scores:
    raw, objective = _raw(pen, model, table)
    if objective in LOGISTIC:
        return Scores(both(pen, pen.node("Sigmoid", raw)))
    return Scores(pen.node("Softmax", raw, axis=1))
