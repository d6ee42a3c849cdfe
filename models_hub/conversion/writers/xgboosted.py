"""XGBoost's models, from what the booster says of itself as JSON.

XGBoost compares float32 features with float32 thresholds (values below go left), sends NaN where
each node says, and reads the zeros that a sparse matrix leaves out as missing.
https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
"""

import json
from typing import Any

import numpy as np

from models_hub.conversion.pen import Pen
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
    value = _given(pen, model, table)
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
        arrays.append(_tree(trees["trees"][index], group, weight, first))
    return summed_single(pen, value, arrays), objective


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


def _tree(tree: dict[str, Any], group: int, weight: float, start: float) -> TreeArrays:
    """One tree; the first of each group begins with the start, as XGBoost's sums do."""
    left = np.array(tree["left_children"])
    if any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotImplementedError("XGBoost with categories of its own or several targets")
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    leaves = np.float32(start) + np.float32(weight) * conditions
    return TreeArrays.of(
        left < 0, tree["split_indices"], conditions, left, tree["right_children"],
        tree["default_left"], leaves, (group,), strict=True,
    )  # fmt: skip


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
