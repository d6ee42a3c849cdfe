"""scikit-learn's trees, forests and boosting.

Its classic trees compare float32 features with double thresholds, HistGradientBoosting compares
doubles; both add up doubles.
"""

from typing import Any

import numpy as np

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.categories import Splits
from models_hub.conversion.writers.encoding import place
from models_hub.conversion.writers.registry import (
    Scores,
    chances,
    classifier,
    regress,
    regressor,
    transform,
    transformer,
)
from models_hub.conversion.writers.table import Table, beside
from models_hub.conversion.writers.trees import TreeArrays, summed

SIGMOID = {"HalfBinomialLoss": 1.0, "ExponentialLoss": 2.0}


def classic(tree: Any, values: Any, targets: Any = (0,)) -> TreeArrays:
    """A `sklearn.tree._tree.Tree`, with the values that its leaves shall add."""
    return TreeArrays.of(
        tree.children_left < 0, tree.feature, tree.threshold, tree.children_left,
        tree.children_right, tree.missing_go_to_left, values, targets,
    )  # fmt: skip


def _mean_of_trees(pen: Pen, model: Any, table: Table) -> str:
    members = list(model.estimators_) if hasattr(model, "estimators_") else [model]
    if model.n_outputs_ != 1:
        raise NotImplementedError("a tree with several targets")
    width = members[0].tree_.value.shape[2]
    count = float(len(members))
    trees = [classic(m.tree_, _leaf_shares(m.tree_.value), range(width)) for m in members]
    total = summed(pen, pen.single(table.matrix(pen)), trees, np.zeros(width))
    return pen.apply("Div", total, count)


def _leaf_shares(value: Any) -> Any:
    """[m, k]: a regressor's leaf values, or a classifier's class shares (they sum to 1)."""
    flat = value[:, 0, :]
    return flat / flat.sum(axis=1, keepdims=True) if flat.shape[1] > 1 else flat


@regressor(
    "DecisionTreeRegressor", "ExtraTreeRegressor", "RandomForestRegressor", "ExtraTreesRegressor"
)
def _forest(pen: Pen, model: Any, table: Table) -> str:
    if getattr(model, "criterion", "") == "poisson" and model.n_outputs_ != 1:
        raise NotImplementedError("a tree with several targets")
    return _mean_of_trees(pen, model, table)


@classifier(
    "DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier",
    "ExtraTreesClassifier",
)  # fmt: skip
def _forest_classifier(pen: Pen, model: Any, table: Table) -> Scores:
    return Scores(_mean_of_trees(pen, model, table))


def _boosted(pen: Pen, model: Any, table: Table) -> str:
    """[n, k] double: GradientBoosting's raw prediction."""
    learns = model.init_ != "zero" and not type(model.init_).__name__.startswith("Dummy")
    trees = [
        classic(member.tree_, model.learning_rate * member.tree_.value[:, 0, 0], (target,))
        for stage in model.estimators_
        for target, member in enumerate(stage)
    ]
    value = pen.single(table.matrix(pen))
    if not learns:
        start = model._raw_predict_init(np.zeros((1, model.n_features_in_)))
        return summed(pen, value, trees, start.ravel())
    pen.exact = True
    total = summed(pen, value, trees, np.zeros(model.estimators_.shape[1]))
    return pen.node("Add", total, _started(pen, model, Table.of(value, table.width)))


def _started(pen: Pen, model: Any, table: Table) -> str:
    """[n, 1]: the raw prediction of an estimator to begin with."""
    if not hasattr(model, "classes_"):
        return regress(pen, model.init_, table)
    if len(model.classes_) != 2:
        raise NotImplementedError("boosting of several classes with an init estimator")
    eps = np.finfo(np.float32).eps
    share = pen.gather(chances(pen, model.init_, table), [1])
    share = pen.node("Min", pen.node("Max", share, pen.number(eps)), pen.number(1 - eps))
    odds = pen.node("Div", share, pen.node("Sub", pen.number(1.0), share))
    return pen.apply("Div", pen.node("Log", odds), SIGMOID[type(model._loss).__name__])


@regressor("GradientBoostingRegressor")
def _gradient_boosting(pen: Pen, model: Any, table: Table) -> str:
    return _boosted(pen, model, table)


@classifier("GradientBoostingClassifier")
def _gradient_boosting_classifier(pen: Pen, model: Any, table: Table) -> Scores:
    return Scores(_likely(pen, model, _boosted(pen, model, table)))


def _histograms(pen: Pen, model: Any, table: Table) -> str:
    """[n, k] double: HistGradientBoosting's raw prediction."""
    start = np.ravel(model._baseline_prediction)
    if getattr(model, "_preprocessor", None) is None:
        trees = _predictors(model, lambda predictor, nodes: (nodes["feature_idx"], None, None))
        return summed(pen, table.matrix(pen), trees, start)
    mask = np.asarray(model._preprocessor.transformers_[0][2])
    encoder = model._preprocessor.named_transformers_["encoder"]
    texts = table.take(pen, np.flatnonzero(mask).tolist()).columns(pen)
    numbers = table.take(pen, np.flatnonzero(~mask).tolist())
    sizes = [sum(1 for v in c if v == v and v is not None) for c in encoder.categories_]
    splits = Splits(sizes, numbers.width)
    trees = _predictors(model, splits_of(splits, len(sizes)))
    codes = [
        place(pen, part, list(known[:size]))
        for part, known, size in zip(texts, encoder.categories_, sizes, strict=True)
    ]
    value = pen.joined(
        [*([numbers.matrix(pen)] if numbers.width else []), *splits.write(pen, codes)]
    )
    return summed(pen, value, trees, start)


def splits_of(splits: Splits, shift: int) -> Any:
    """How a predictor's nodes look at numbers and indicators: the first `shift` of its features
    are the categories, the numbers come behind them."""

    def features(predictor: Any, nodes: Any) -> tuple[Any, Any, Any]:
        feature = nodes["feature_idx"].astype(np.int64) - shift
        threshold = nodes["num_threshold"].copy()
        low = nodes["missing_go_to_left"].astype(bool)
        inner = nodes["is_categorical"].astype(bool) & ~nodes["is_leaf"].astype(bool)
        for index in np.flatnonzero(inner):
            bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][index]]
            feature[index] = splits.column(int(nodes["feature_idx"][index]), bits, bool(low[index]))
            threshold[index] = 0.5
        return feature, threshold, low

    return features


def _predictors(model: Any, features: Any) -> list[TreeArrays]:
    return [
        _predictor(predictor, target, features)
        for stage in model._predictors
        for target, predictor in enumerate(stage)
    ]


def _predictor(predictor: Any, target: int, features: Any) -> TreeArrays:
    nodes = predictor.nodes
    feature, threshold, low = features(predictor, nodes)
    return TreeArrays.of(
        nodes["is_leaf"], feature, nodes["num_threshold"] if threshold is None else threshold,
        nodes["left"], nodes["right"], nodes["missing_go_to_left"] if low is None else low,
        nodes["value"], (target,),
    )  # fmt: skip


@regressor("HistGradientBoostingRegressor")
def _histogram_regressor(pen: Pen, model: Any, table: Table) -> str:
    raw, link = _histograms(pen, model, table), type(model._loss.link).__name__
    if link == "LogLink":
        return pen.node("Exp", raw)
    if link != "IdentityLink":
        raise NotImplementedError(f"a loss with {link}")
    return raw


@classifier("HistGradientBoostingClassifier")
def _histogram_classifier(pen: Pen, model: Any, table: Table) -> Scores:
    return Scores(_likely(pen, model, _histograms(pen, model, table)))


def _likely(pen: Pen, model: Any, raw: str) -> str:
    """[n, k] probabilities of boosting's raw scores."""
    loss = type(model._loss).__name__
    if loss == "HalfMultinomialLoss":
        return pen.node("Softmax", raw, axis=1)
    return both(pen, pen.node("Sigmoid", pen.apply("Mul", raw, SIGMOID[loss])))


def both(pen: Pen, positive: str) -> str:
    """[n, 2]: the probabilities of two classes from that of the second, [n, 1]."""
    return pen.joined([pen.node("Sub", pen.number(1.0), positive), positive])


@transformer("RandomTreesEmbedding")
def _embedding(pen: Pen, model: Any, table: Table) -> Table:
    """The leaf that each tree sends a row to, one-hot."""
    value, blocks = pen.single(table.matrix(pen)), []
    for member in model.estimators_:
        tree = classic(member.tree_, np.arange(member.tree_.node_count, dtype=float))
        blocks.append(Table.of(summed(pen, value, [tree], 0.0), 1))
    return transform(pen, model.one_hot_encoder_, beside(blocks))
