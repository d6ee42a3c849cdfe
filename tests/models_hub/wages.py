"""The zoo on real wages: pipelines as people save them, and rows that none of them was fitted on.

The data are the Current Population Survey's (`zoo.CPS`), or made ones of the same columns where
that file is not there. Some values are missing, and the fresh rows know a region of their own.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn import ensemble as ens
from sklearn import linear_model as lin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import FeatureAgglomeration, KMeans
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes it public
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectKBest, SequentialFeatureSelector, f_regression
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.models_hub import zoo

NUMBERS = ["education", "experience"]
TEXTS = ["ethnicity", "smsa", "region", "parttime"]
JOBS = ["data engineer", "sales lead", "night nurse", "teacher of maths"]
SCORES = ["score", "speed", "skill"]
TRAIN, FRESH = 900, 300


@cache
def rows() -> pd.DataFrame:
    """`TRAIN` rows to fit on, then `FRESH` other ones; a tenth of some columns is missing."""
    random = np.random.default_rng(4)
    if zoo.CPS.exists():
        frame = pd.read_csv(zoo.CPS).drop(columns="rownames")
        frame = frame.sample(TRAIN + FRESH, random_state=1).reset_index(drop=True)
    else:
        frame = _made(random, TRAIN + FRESH)
    frame["job"] = random.choice(JOBS, len(frame))
    frame["remote"] = random.random(len(frame)) < 0.3
    for name in SCORES:
        frame[name] = random.lognormal(3, 0.5, len(frame)) + frame["wage"] / 20
    for name in (*NUMBERS, "region"):
        frame.loc[random.random(len(frame)) < 0.07, name] = np.nan
    frame.loc[random.random(len(frame)) < 0.07, SCORES[1]] = np.nan
    frame.loc[TRAIN : TRAIN + 10, "region"] = "a new one"
    return frame


def of_categories() -> pd.DataFrame:
    """The rows with pandas categories in place of texts."""
    frame = rows()
    return frame.astype(dict.fromkeys([*TEXTS, "job"], "category"))


def _made(random: np.random.Generator, count: int) -> pd.DataFrame:
    education = random.integers(6, 19, count).astype(float)
    experience = random.integers(-2, 50, count).astype(float)
    wage = np.exp(4.5 + 0.08 * education + 0.02 * experience + random.normal(0, 0.5, count))
    return pd.DataFrame(
        {
            "wage": wage,
            "education": education,
            "experience": experience,
            "ethnicity": random.choice(["cauc", "afam"], count),
            "smsa": random.choice(["yes", "no"], count),
            "region": random.choice(["south", "west", "midwest", "northeast"], count),
            "parttime": random.choice(["yes", "no"], count),
        }
    )


def gaps() -> SimpleImputer:
    return SimpleImputer(strategy="median")


def hot(**more: Any) -> OneHotEncoder:
    return OneHotEncoder(**{"handle_unknown": "ignore", "sparse_output": False, **more})


def ordinals(unknown: float = -1) -> OrdinalEncoder:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=unknown)


def prepared(numbers: Any = None, texts: Any = None, **more: Any) -> ColumnTransformer:
    numbers = numbers or make_pipeline(gaps(), StandardScaler())
    texts = texts or make_pipeline(SimpleImputer(strategy="most_frequent"), hot())
    return ColumnTransformer([("n", numbers, NUMBERS), ("t", texts, TEXTS)], **more)


def usual(*steps: Any, **more: Any) -> Pipeline:
    return make_pipeline(prepared(**more), *steps)


def bent(step: Any) -> Pipeline:
    """A linear model on numbers that went through the step."""
    return usual(lin.Ridge(), numbers=make_pipeline(gaps(), step))


def encoded(encoder: Any) -> Pipeline:
    return usual(ens.HistGradientBoostingRegressor(max_iter=10), texts=encoder)


def logistic() -> lin.LogisticRegression:
    return lin.LogisticRegression(max_iter=500)


def trees(kind: Any, **more: Any) -> Any:
    return kind(n_estimators=10, random_state=0, **more)


def logs(model: Any) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(model, func=np.log, inverse_func=np.exp)


def ordinal_table(unknown: float = np.nan) -> ColumnTransformer:
    return ColumnTransformer(
        [("t", ordinals(unknown), TEXTS), ("j", "drop", ["job", "remote"])], remainder="passthrough"
    )


def all_but_job() -> Any:
    plain = ColumnTransformer(
        [("j", "drop", ["job"])], remainder="passthrough", verbose_feature_names_out=False
    )
    return plain.set_output(transform="pandas")


def scores(*steps: Any) -> Pipeline:
    """Of the columns without whole numbers; the second has gaps."""
    return make_pipeline(ColumnTransformer([("s", "passthrough", SCORES)]), *steps)


def columns_by(*pairs: Any) -> Pipeline:
    return make_pipeline(make_column_transformer(*pairs), lin.Ridge())


CATBOOST: dict[str, Any] = {"iterations": 20, "verbose": 0, "allow_writing_files": False}
PENALTIES = {"ridge__alpha": [0.1, 1.0]}
REGRESSIONS: dict[str, Callable[[], Any]] = {
    "lasso": lambda: usual(lin.LassoCV(cv=3)),
    "elastic net": lambda: usual(lin.ElasticNet(0.1)),
    "bayesian ridge": lambda: usual(lin.BayesianRidge()),
    "huber": lambda: usual(lin.HuberRegressor(max_iter=1000)),
    "quantile regression": lambda: usual(lin.QuantileRegressor(quantile=0.8, alpha=0.01)),
    "poisson": lambda: usual(lin.PoissonRegressor(max_iter=500)),
    "gamma": lambda: usual(lin.GammaRegressor()),
    "tweedie": lambda: usual(lin.TweedieRegressor(power=1.5, max_iter=500)),
    "ransac": lambda: usual(lin.RANSACRegressor(random_state=0)),
    "partial least squares": lambda: usual(PLSRegression(3)),
    "support vectors": lambda: usual(SVR(C=100)),
    "kernel ridge": lambda: usual(KernelRidge(kernel="rbf", gamma=0.1)),
    "perceptron layers": lambda: usual(
        MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, random_state=0)
    ),
    "forest": lambda: usual(trees(ens.RandomForestRegressor)),
    "forest of logarithms": lambda: logs(usual(trees(ens.ExtraTreesRegressor))),
    "boosting": lambda: usual(trees(ens.GradientBoostingRegressor, loss="huber")),
    "adaptive boosting": lambda: usual(trees(ens.AdaBoostRegressor)),
    "bagging": lambda: usual(ens.BaggingRegressor(lin.Ridge(), 5, max_features=0.6)),
    "histograms of gamma": lambda: usual(
        ens.HistGradientBoostingRegressor(loss="gamma", max_iter=10)
    ),
    "histograms of codes": lambda: make_pipeline(
        ordinal_table(),
        ens.HistGradientBoostingRegressor(max_iter=15, categorical_features=[0, 1, 2, 3]),
    ),
    "histograms of codes beside truth values": lambda: make_pipeline(
        ColumnTransformer(
            [("t", ordinals(np.nan), TEXTS), ("p", "passthrough", ["remote", "score"])]
        ),
        ens.HistGradientBoostingRegressor(max_iter=15, categorical_features=[0, 1, 2, 3]),
    ),
    "histograms of texts": lambda: make_pipeline(
        all_but_job(),
        ens.HistGradientBoostingRegressor(max_iter=15, categorical_features=TEXTS),
    ),
    "voting": lambda: usual(
        ens.VotingRegressor(
            [("a", lin.Ridge()), ("b", trees(ens.RandomForestRegressor))], weights=[1, 3]
        )
    ),
    "stacking": lambda: usual(
        ens.StackingRegressor([("a", lin.Ridge()), ("b", trees(ens.GradientBoostingRegressor))])
    ),
    "stacking of pipelines": lambda: ens.StackingRegressor(
        [("a", usual(lin.Ridge())), ("b", usual(trees(ens.RandomForestRegressor)))], cv=3
    ),
    "baseline": lambda: usual(DummyRegressor(strategy="median")),
    "grid": lambda: GridSearchCV(usual(lin.Ridge()), PENALTIES, cv=2),
    "random search inside": lambda: usual(
        RandomizedSearchCV(lin.Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2)
    ),
    "grid of logarithms": lambda: logs(GridSearchCV(usual(lin.Ridge()), PENALTIES, cv=2)),
    "powered target": lambda: TransformedTargetRegressor(
        usual(lin.Ridge()), transformer=PowerTransformer()
    ),
    "target of quantiles": lambda: TransformedTargetRegressor(
        usual(lin.Ridge()),
        transformer=QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    ),
    "splines": lambda: bent(SplineTransformer(extrapolation="linear")),
    "splines beyond": lambda: bent(SplineTransformer(knots="quantile", include_bias=False)),
    "power": lambda: bent(PowerTransformer()),
    "quantiles": lambda: bent(QuantileTransformer(n_quantiles=50)),
    "normal quantiles": lambda: bent(
        QuantileTransformer(n_quantiles=50, output_distribution="normal")
    ),
    "bins": lambda: bent(KBinsDiscretizer(4)),
    "bins in order": lambda: bent(
        make_pipeline(KBinsDiscretizer(5, encode="ordinal", strategy="uniform"), StandardScaler())
    ),
    "robust": lambda: bent(RobustScaler()),
    "least and most": lambda: bent(MinMaxScaler(clip=True)),
    "largest": lambda: bent(MaxAbsScaler()),
    "unit rows": lambda: bent(Normalizer()),
    "above twelve": lambda: bent(Binarizer(threshold=12)),
    "interactions": lambda: bent(PolynomialFeatures(3, interaction_only=True)),
    "clipped": lambda: bent(FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 20})),
    "roots": lambda: bent(
        make_pipeline(FunctionTransformer(np.abs), FunctionTransformer(np.sqrt))
    ),
    "principal components": lambda: usual(PCA(3, whiten=True), lin.LinearRegression()),
    "truncated": lambda: usual(TruncatedSVD(3), lin.LinearRegression()),
    "clusters": lambda: bent(KMeans(4, n_init=1, random_state=0)),
    "nystroem": lambda: usual(Nystroem(n_components=20, random_state=0), lin.Ridge()),
    "fourier": lambda: usual(RBFSampler(n_components=20, random_state=0), lin.Ridge()),
    "merged columns": lambda: usual(FeatureAgglomeration(3), lin.Ridge()),
    "gaps noted": lambda: usual(
        lin.Ridge(), numbers=FeatureUnion([("a", gaps()), ("b", MissingIndicator())])
    ),
    "target encoder": lambda: encoded(TargetEncoder(random_state=0)),
    "first dropped": lambda: encoded(
        make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), hot(drop="first"))
    ),
    "few categories": lambda: encoded(hot(max_categories=3, handle_unknown="infrequent_if_exist")),
    "strict categories": lambda: encoded(hot(handle_unknown="error")),
    "best columns": lambda: usual(SelectKBest(f_regression, k=4), lin.Ridge()),
    "eliminated": lambda: usual(RFE(lin.Ridge(), n_features_to_select=4), lin.Ridge()),
    "one after the other": lambda: usual(
        SequentialFeatureSelector(lin.Ridge(), n_features_to_select=2, cv=2), lin.Ridge()
    ),
    "chosen by type": lambda: columns_by(
        (make_pipeline(gaps(), StandardScaler()), make_column_selector(dtype_include="number")),
        (hot(), make_column_selector(dtype_exclude="number")),
    ),
    "chosen by place": lambda: columns_by((gaps(), slice(0, 2)), (hot(), [2, -2])),
    "nested": lambda: make_pipeline(
        prepared(), ColumnTransformer([("s", StandardScaler(), [0, 1])], remainder="passthrough"),
        lin.Ridge(),
    ),
    "as frames": lambda: usual(trees(ens.RandomForestRegressor)).set_output(transform="pandas"),
    "union of tables": lambda: make_pipeline(
        FeatureUnion(
            [
                ("n", ColumnTransformer([("n", gaps(), NUMBERS)])),
                ("t", ColumnTransformer([("t", hot(), TEXTS)])),
            ],
            transformer_weights={"n": 0.5},
        ),
        lin.Ridge(),
    ),
    "lightgbm": lambda: usual(lightgbm.LGBMRegressor(n_estimators=15, verbose=-1)),
    "lightgbm with gaps and codes": lambda: make_pipeline(
        ordinal_table(-1),
        lightgbm.LGBMRegressor(n_estimators=15, verbose=-1, categorical_feature=[0, 1, 2, 3]),
    ),
    "xgboost": lambda: logs(usual(xgboost.XGBRegressor(n_estimators=15, max_depth=3))),
    "xgboost on sparse rows": lambda: usual(
        xgboost.XGBRegressor(n_estimators=15, max_depth=3), texts=hot(sparse_output=True),
        sparse_threshold=1.0,
    ),
    "logarithms of scores": lambda: scores(
        FunctionTransformer(np.log, feature_names_out="one-to-one"),
        gaps(),
        trees(ens.GradientBoostingRegressor),
    ),
    "logarithms on both sides": lambda: logs(
        make_pipeline(
            ColumnTransformer(
                [("n", make_pipeline(gaps(), FunctionTransformer(np.log1p)), ["education"]),
                 ("t", hot(), ["region"])]
            ),
            lin.LinearRegression(),
        )
    ),
    "roots of scores": lambda: make_pipeline(
        ColumnTransformer([("s", FunctionTransformer(np.sqrt), ["score", "skill"])]),
        StandardScaler(),
        SVR(C=100),
    ),
    "catboost": lambda: logs(usual(catboost.CatBoostRegressor(**CATBOOST))),
    "catboost with gaps": lambda: scores(
        catboost.CatBoostRegressor(nan_mode="Max", loss_function="Poisson", **CATBOOST)
    ),
    "donors of scores": lambda: scores(
        KNNImputer(n_neighbors=3, add_indicator=True), trees(ens.RandomForestRegressor)
    ),
    "gaps guessed in turns": lambda: usual(
        trees(ens.RandomForestRegressor), numbers=IterativeImputer(max_iter=3, random_state=0)
    ),
    "remainder scaled": lambda: make_pipeline(
        ColumnTransformer(
            [("t", hot(drop="if_binary"), TEXTS), ("d", "drop", ["job"])],
            remainder=make_pipeline(gaps(), RobustScaler()),
        ),
        lin.Ridge(),
    ),
    "truth values passed": lambda: make_pipeline(
        ColumnTransformer([("p", "passthrough", ["score", "remote"]), ("n", gaps(), NUMBERS)]),
        trees(ens.ExtraTreesRegressor),
    ),
    "rare in order": lambda: encoded(
        OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2,
            min_frequency=100,
        )
    ),
    "stacking with the columns": lambda: usual(
        ens.StackingRegressor(
            [("a", lin.Ridge()), ("b", trees(ens.ExtraTreesRegressor))], passthrough=True, cv=3
        )
    ),
    "isotonic": lambda: make_pipeline(
        ColumnTransformer([("s", "passthrough", ["score"])]), IsotonicRegression()
    ),
    "neighbours": lambda: usual(KNeighborsRegressor(5)),
    "neighbours in a plane": lambda: usual(PCA(2), KNeighborsRegressor(10, weights="distance")),
    "words": lambda: make_pipeline(
        ColumnTransformer([("n", gaps(), NUMBERS), ("w", TfidfVectorizer(), "job")]), lin.Ridge()
    ),
}  # fmt: skip
CLASSIFICATIONS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: usual(logistic()),
    "forest": lambda: usual(trees(ens.RandomForestClassifier)),
    "boosting": lambda: usual(trees(ens.GradientBoostingClassifier)),
    "adaptive boosting": lambda: usual(
        trees(ens.AdaBoostClassifier, estimator=DecisionTreeClassifier(max_depth=2))
    ),
    "histograms of codes": lambda: make_pipeline(
        ordinal_table(),
        ens.HistGradientBoostingClassifier(max_iter=8, categorical_features=[0, 1, 2, 3]),
    ),
    "soft voting": lambda: usual(
        ens.VotingClassifier(
            [("a", logistic()), ("b", trees(ens.RandomForestClassifier))], voting="soft"
        )
    ),
    "hard voting": lambda: usual(
        ens.VotingClassifier([("a", logistic()), ("b", GaussianNB()), ("c", LinearSVC())])
    ),
    "stacking": lambda: usual(
        ens.StackingClassifier([("a", logistic()), ("b", GaussianNB())], passthrough=True, cv=3)
    ),
    "calibrated": lambda: usual(CalibratedClassifierCV(LinearSVC(), cv=3)),
    "calibrated by steps": lambda: CalibratedClassifierCV(
        usual(trees(ens.RandomForestClassifier)), method="isotonic", cv=3
    ),
    "one against the rest": lambda: usual(OneVsRestClassifier(logistic())),
    "bold against the rest": lambda: usual(
        OneVsRestClassifier(lin.SGDClassifier(loss="modified_huber", random_state=0))
    ),
    "margins against the rest": lambda: usual(OneVsRestClassifier(LinearSVC())),
    "discriminant": lambda: usual(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")),
    "bernoulli": lambda: usual(BernoulliNB()),
    "perceptron layers": lambda: usual(MLPClassifier((8,), max_iter=50, random_state=0)),
    "support vectors": lambda: usual(SVC()),
    "ridge": lambda: usual(lin.RidgeClassifier()),
    "hinge": lambda: usual(lin.SGDClassifier(random_state=0)),
    "baseline": lambda: usual(DummyClassifier(strategy="prior")),
    "target encoder": lambda: usual(logistic(), texts=TargetEncoder(random_state=0)),
    "lightgbm": lambda: usual(lightgbm.LGBMClassifier(n_estimators=8, verbose=-1)),
    "catboost": lambda: usual(catboost.CatBoostClassifier(**CATBOOST)),
    "catboost against the rest": lambda: usual(
        catboost.CatBoostClassifier(loss_function="MultiClassOneVsAll", **CATBOOST)
    ),
}
TWO_CLASSES: dict[str, Callable[[], Any]] = {
    "fixed threshold": lambda: usual(FixedThresholdClassifier(logistic(), threshold=0.3)),
    "margin against one": lambda: usual(OneVsRestClassifier(LinearSVC())),
    "tuned threshold": lambda: TunedThresholdClassifierCV(usual(logistic()), cv=3),
    "modified huber": lambda: usual(lin.SGDClassifier(loss="modified_huber", random_state=0)),
    "xgboost": lambda: usual(xgboost.XGBClassifier(n_estimators=10, max_depth=3)),
    "catboost": lambda: usual(catboost.CatBoostClassifier(depth=4, **CATBOOST)),
}
ON_CATEGORIES: dict[str, Callable[[], Any]] = {
    "lightgbm": lambda: lightgbm.LGBMRegressor(n_estimators=15, verbose=-1),
    "lightgbm with logarithms": lambda: logs(lightgbm.LGBMRegressor(n_estimators=9, verbose=-1)),
    "xgboost": lambda: xgboost.XGBRegressor(
        n_estimators=15, max_depth=4, enable_categorical=True, max_cat_to_onehot=3
    ),
    "histograms": lambda: ens.HistGradientBoostingRegressor(
        max_iter=15, categorical_features="from_dtype"
    ),
}
#: What has no counterpart: ties among neighbours, and words.
NATIVE = {"neighbours", "neighbours in a plane", "words"}
