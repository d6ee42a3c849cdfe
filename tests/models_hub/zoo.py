"""Honest pipelines on made wage data: regressions and classifications of ordinary shapes."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

CPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "cps1988.csv"
NUMBERS = ["education", "experience"]
TEXTS = ["city", "level"]
LEVELS = ["junior", "senior", "lead"]


@cache
def people() -> pd.DataFrame:
    """500 made employees: numbers with and without gaps, texts with and without, a boolean."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "education": random.integers(8, 21, 500).astype(float),
            "experience": random.gamma(2.0, 6.0, 500),
            "city": random.choice(["Berlin", "Oslo", "São Paulo", "Łódź"], 500),
            "level": random.choice(LEVELS, 500),
            "remote": random.random(500) < 0.4,
            "grade": random.integers(1, 6, 500),
        }
    )
    level = frame["level"].map({name: place for place, name in enumerate(LEVELS)})
    wage = 900 + 60 * frame["education"] + 25 * frame["experience"] + 400 * level
    frame["wage"] = wage * random.lognormal(0, 0.1, 500)
    frame.loc[random.random(500) < 0.1, "experience"] = np.nan
    frame.loc[random.random(500) < 0.1, "city"] = None
    return frame


@cache
def real_wages() -> tuple[pd.DataFrame, "pd.Series[float]", Any]:
    """The wage data's features and target, and a boosted pipeline fitted on all of it."""
    rows = pd.read_csv(CPS).drop(columns="rownames")
    wage = rows.pop("wage")
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = ["ethnicity", "smsa", "region", "parttime"]
    pipeline = make_pipeline(
        table((numbers, NUMBERS), (hot(), texts)),
        SelectKBest(f_regression, k=6),
        GradientBoostingRegressor(random_state=0),
    )
    return rows, wage, pipeline.fit(rows, wage)


def gaps() -> Any:
    return SimpleImputer(strategy="median")


def hot(**more: Any) -> OneHotEncoder:
    return OneHotEncoder(**{"handle_unknown": "ignore", **more})


def texts(**more: Any) -> Pipeline:
    return make_pipeline(SimpleImputer(strategy="most_frequent"), hot(**more))


def table(*parts: tuple[Any, list[str]], **more: Any) -> ColumnTransformer:
    return ColumnTransformer([(f"p{i}", *part) for i, part in enumerate(parts)], **more)


def usual(model: Any, *before: Any) -> Pipeline:
    numbers = make_pipeline(gaps(), StandardScaler())
    return make_pipeline(table((numbers, NUMBERS), (texts(), TEXTS)), *before, model)


def boost(**more: Any) -> GradientBoostingRegressor:
    return GradientBoostingRegressor(n_estimators=20, random_state=0, **more)


def forest() -> RandomForestRegressor:
    return RandomForestRegressor(10, random_state=0)


REGRESSIONS: dict[str, Callable[[], Any]] = {
    "linear": lambda: usual(LinearRegression()),
    "ridge on robust numbers": lambda: make_pipeline(
        table((make_pipeline(gaps(), RobustScaler()), NUMBERS), (texts(), TEXTS)), Ridge()
    ),
    "lasso with polynomials": lambda: make_pipeline(
        table((make_pipeline(gaps(), MinMaxScaler(), PolynomialFeatures(2)), NUMBERS)),
        Lasso(0.1),
    ),
    "boosting with selection": lambda: usual(boost(), SelectKBest(f_regression, k=5)),
    "forest": lambda: usual(forest()),
    "forest without planned gaps": lambda: make_pipeline(
        table((StandardScaler(), ["education", "grade"]), (hot(), ["level"])), forest()
    ),
    "one tree": lambda: usual(DecisionTreeRegressor(max_depth=6, random_state=0)),
    "histograms with gaps": lambda: make_pipeline(
        table(("passthrough", [*NUMBERS, "grade"]), (hot(), TEXTS), sparse_threshold=0),
        HistGradientBoostingRegressor(max_iter=30),
    ),
    "histograms of counts": lambda: make_pipeline(
        table(("passthrough", NUMBERS)), HistGradientBoostingRegressor(loss="poisson", max_iter=20)
    ),
    "select from model": lambda: usual(Ridge(), SelectFromModel(Lasso(1.0))),
    "variance threshold": lambda: usual(Ridge(), VarianceThreshold(0.01)),
    "logarithm of the target": lambda: TransformedTargetRegressor(
        usual(Ridge()), func=np.log, inverse_func=np.exp
    ),
    "log1p at the pipeline's end": lambda: usual(
        TransformedTargetRegressor(boost(), func=np.log1p, inverse_func=np.expm1)
    ),
    "scaled target": lambda: TransformedTargetRegressor(
        usual(Ridge()), transformer=StandardScaler()
    ),
    "logarithm of a number": lambda: make_pipeline(
        table((make_pipeline(gaps(), FunctionTransformer(np.log1p)), NUMBERS)), Ridge()
    ),
    "indicator of gaps": lambda: make_pipeline(
        table((SimpleImputer(add_indicator=True), NUMBERS)), Ridge()
    ),
    "ordinals with unknown": lambda: make_pipeline(
        table(
            (
                OrdinalEncoder(
                    handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
                ),
                ["city", "level"],
            )
        ),
        boost(),
    ),
    "ordinals in order": lambda: make_pipeline(
        table((OrdinalEncoder(categories=[LEVELS]), ["level"]), (gaps(), NUMBERS)), Ridge()
    ),
    "hot numbers and booleans": lambda: make_pipeline(
        table((hot(drop="if_binary"), ["remote"]), (hot(), ["grade"]), (gaps(), NUMBERS)), Ridge()
    ),
    "rare categories": lambda: make_pipeline(
        table((texts(min_frequency=130, handle_unknown="infrequent_if_exist"), TEXTS)), Ridge()
    ),
    "missing as a category": lambda: make_pipeline(
        table((hot(), TEXTS), (gaps(), NUMBERS), remainder="drop"), Ridge()
    ),
    "constant for missing texts": lambda: make_pipeline(
        table((make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), hot()), TEXTS)),
        Ridge(),
    ),
    "union": lambda: make_pipeline(
        table((gaps(), NUMBERS)),
        FeatureUnion([("p", PolynomialFeatures(2)), ("s", SelectKBest(f_regression, k=1))]),
        Ridge(),
    ),
    "grid search": lambda: GridSearchCV(usual(Ridge()), {"ridge__alpha": [0.1, 1.0]}, cv=2),
    "remainder passed": lambda: make_pipeline(
        table((texts(), TEXTS), (gaps(), ["experience"]), remainder="passthrough"), boost()
    ),
}
CLASSIFICATIONS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: usual(LogisticRegression(max_iter=500)),
    "forest": lambda: usual(RandomForestClassifier(10, random_state=0)),
    "extra trees": lambda: usual(ExtraTreesClassifier(10, max_depth=6, random_state=0)),
    "boosting": lambda: usual(GradientBoostingClassifier(n_estimators=10, random_state=0)),
    "exponential boosting": lambda: usual(
        GradientBoostingClassifier(n_estimators=10, loss="exponential", random_state=0)
    ),
    "histograms": lambda: usual(HistGradientBoostingClassifier(max_iter=10)),
}
TARGETS: dict[str, Callable[[pd.Series], Any]] = {
    "texts": lambda wage: np.where(wage > wage.median(), "high", "low"),
    "whole numbers": lambda wage: (wage > wage.median()).astype(int) + 1,
    "booleans": lambda wage: (wage > wage.median()).to_numpy(),
    "three": lambda wage: pd.qcut(wage, 3, labels=["low", "mid", "high"]).astype(str),
}
