"""Fitted models that look right and whose numbers point astray; as pickles and as skops files."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import sklearn
import skops.io
from lightgbm import LGBMRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer
from sklearn.svm import SVR
from xgboost import XGBRegressor

from tests.models_hub.hostile import Build, Case

DAMAGED = "model_damaged"
ROWS = np.random.default_rng(0).random((80, 3))
TARGET = ROWS.sum(axis=1)


def fitted(model: Any) -> Any:
    """The model, fitted on three columns."""
    return model.fit(ROWS, TARGET)


def with_nodes(change: Callable[[Any], None], member: int = 0) -> Any:
    """A forest, one of whose trees has other nodes."""
    forest = fitted(RandomForestRegressor(2, random_state=0))
    tree = forest.estimators_[member].tree_
    state = tree.__getstate__()
    change(state["nodes"])
    tree.__setstate__(state)
    return forest


def child_beyond() -> Any:
    return with_nodes(lambda nodes: nodes["left_child"].__setitem__(0, 1 << 30))


def child_negative() -> Any:
    return with_nodes(lambda nodes: nodes["right_child"].__setitem__(0, -7))


def cycle() -> Any:
    return with_nodes(lambda nodes: nodes["left_child"].__setitem__(0, 0))


def column_beyond() -> Any:
    return with_nodes(lambda nodes: nodes["feature"].__setitem__(0, 1 << 20), member=1)


def tree_of_other_columns() -> Any:
    """The second tree learned from 50 columns; rows have three."""
    forest = fitted(RandomForestRegressor(2, random_state=0))
    wide = RandomForestRegressor(2, random_state=0).fit(np.tile(ROWS, 17)[:, :50], TARGET)
    forest.estimators_[1] = wide.estimators_[1]
    return forest


def boosting_too_wide() -> Any:
    """Forty trees a round are added up in the room of one."""
    model = fitted(GradientBoostingRegressor(n_estimators=3))
    model.estimators_ = np.tile(model.estimators_, (1, 40))
    return model


def histogram_child() -> Any:
    model = fitted(HistGradientBoostingRegressor(max_iter=2))
    model._predictors[0][0].nodes["left"][0] = 1 << 30
    return model


def histogram_column() -> Any:
    model = fitted(HistGradientBoostingRegressor(max_iter=2))
    model._predictors[0][0].nodes["feature_idx"][0] = 5_000
    return model


def histogram_category() -> Any:
    rows = np.column_stack([ROWS[:, 0], np.arange(80) % 5])
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features=[1]).fit(rows, TARGET)
    column = int(np.flatnonzero(model._bin_mapper.is_categorical_)[0])
    model._bin_mapper.bin_thresholds_[column] = np.array([1e9])
    return model


def support_vectors() -> Any:
    model = fitted(SVR())
    model._dual_coef_ = model._dual_coef_[:, :1].copy()
    return model


def neighbours_order() -> Any:
    model = fitted(KNeighborsRegressor(algorithm="kd_tree"))
    state = list(model._tree.__getstate__())
    state[1] = np.full(len(ROWS), 1 << 40)
    model._tree.__setstate__(tuple(state))
    return model


def sparse_columns() -> Any:
    model = KNeighborsRegressor(algorithm="brute").fit(scipy.sparse.csr_matrix(ROWS), TARGET)
    model._fit_X.indices[:] = 1 << 30
    return model


def spline_knots() -> Any:
    model = make_pipeline(SplineTransformer(), LinearRegression())
    fitted(model)
    model[0].bsplines_[0].c = np.zeros((1, 1))
    return model


def wrong_type() -> Any:
    model = fitted(RandomForestRegressor(2))
    model.estimators_[0].n_features_in_ = "three"
    return model


def not_a_number() -> Any:
    model = fitted(LinearRegression())
    model.coef_ = np.full(3, np.nan)
    return model


def pickled(make: Callable[[], Any]) -> Build:
    return lambda _: pickle.dumps(make())


def archived(make: Callable[[], Any]) -> Build:
    return lambda _: bytes(skops.io.dumps(make()))


def false_version(_: Path) -> bytes:
    """Says that another scikit-learn wrote it, and has nodes that none did."""
    data = pickle.dumps(fitted(RandomForestRegressor(1)))
    data = data.replace(sklearn.__version__.encode(), b"0.0.7")
    return data.replace(b"left_child", b"left_chilt")


def boosted_cycle(_: Path) -> bytes:
    """A tree of LightGBM whose first split is its own child: whoever follows it never ends."""
    model = fitted(LGBMRegressor(n_estimators=2, min_child_samples=2, verbose=-1))
    return re.sub(rb"left_child=\d", b"left_child=0", pickle.dumps(model), count=1)


def extreme(name: str, number: int) -> Build:
    """A model of XGBoost in whose first tree the root has another child or column."""

    def build(_: Path) -> bytes:
        model = fitted(XGBRegressor(n_estimators=2, max_depth=3))
        booster = model.get_booster()
        content = json.loads(booster.save_raw("json"))
        content["learner"]["gradient_booster"]["model"]["trees"][0][name][0] = number
        booster.load_model(bytearray(json.dumps(content).encode()))  # it checks nothing
        return pickle.dumps(model)

    return build


def version_of_no_text(_: Path) -> bytes:
    """The version is an object whose text is endless; the model's tree is cyclic."""
    model = cycle()
    model.__dict__["_sklearn_version"] = ["x" * 1_000] * 1_000
    return pickle.dumps(model)


DAMAGES = [
    child_beyond, child_negative, cycle, column_beyond, tree_of_other_columns, boosting_too_wide,
    histogram_child, histogram_column, histogram_category, support_vectors, neighbours_order,
    sparse_columns, spline_knots, wrong_type,
]  # fmt: skip
ARCHIVED = [child_beyond, cycle, histogram_column, support_vectors]
MODELS = [
    *(Case(make.__name__, "m.pkl", DAMAGED, pickled(make)) for make in DAMAGES),
    *(Case(f"{make.__name__} in skops", "m.skops", DAMAGED, archived(make)) for make in ARCHIVED),
    Case("NaN for every row", "m.pkl", "cannot_predict", pickled(not_a_number)),
    Case("a false version", "m.pkl", "sklearn_version_unsupported", false_version),
    Case("a cycle in LightGBM", "m.pkl", DAMAGED, boosted_cycle),
    Case("a cycle in XGBoost", "m.pkl", DAMAGED, extreme("left_children", 0)),
    Case("a child beyond XGBoost's nodes", "m.pkl", DAMAGED, extreme("left_children", 1 << 28)),
    Case("a column beyond XGBoost's", "m.pkl", DAMAGED, extreme("split_indices", 1 << 20)),
    Case("a version that is no text", "m.pkl", DAMAGED, version_of_no_text),
]
