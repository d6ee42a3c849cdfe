"""The types that a skops file may hold beside those that skops itself trusts.

skops trusts scikit-learn's public estimators, numpy's and Python's plain types. A fitted model
also holds internal ones; these are the ones that fitted scikit-learn 1.9 estimators were seen to
hold. The list is ours and fixed: what a file says about itself never adds to it.
"""

_LOSSES = ("HalfTweedieLoss", "HalfTweedieLossIdentity")
_SCORES = (
    "_mutual_info.mutual_info_classif",
    "_mutual_info.mutual_info_regression",
    "_univariate_selection.chi2",
    "_univariate_selection.f_classif",
    "_univariate_selection.f_regression",
    "_univariate_selection.r_regression",
)
_METRICS = (
    "_classification.accuracy_score",
    "_classification.balanced_accuracy_score",
    "_classification.f1_score",
    "_classification.log_loss",
    "_classification.precision_score",
    "_classification.recall_score",
    "_ranking.roc_auc_score",
    "_regression.max_error",
    "_regression.mean_absolute_error",
    "_regression.mean_absolute_percentage_error",
    "_regression.mean_squared_error",
    "_regression.mean_squared_log_error",
    "_regression.median_absolute_error",
    "_regression.r2_score",
    "_regression.root_mean_squared_error",
    "_scorer._PassthroughScorer",
    "_scorer._Scorer",
)
_SPLITS = (
    "GroupKFold",
    "KFold",
    "RepeatedKFold",
    "RepeatedStratifiedKFold",
    "ShuffleSplit",
    "StratifiedKFold",
    "StratifiedShuffleSplit",
    "TimeSeriesSplit",
)
_KERNELS = (
    "CompoundKernel",
    "ConstantKernel",
    "DotProduct",
    "Exponentiation",
    "ExpSineSquared",
    "Matern",
    "Product",
    "RationalQuadratic",
    "RBF",
    "Sum",
    "WhiteKernel",
)
_DISTANCES = (
    "ChebyshevDistance64",
    "EuclideanDistance64",
    "ManhattanDistance64",
    "MinkowskiDistance64",
)
_BOOSTERS = (
    "catboost.core.CatBoostClassifier",
    "catboost.core.CatBoostRegressor",
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
    "xgboost.sklearn.XGBRFClassifier",
    "xgboost.sklearn.XGBRFRegressor",
)

TRUSTED: tuple[str, ...] = (
    "builtins.object",  # the dtype of an array of texts
    "functools.partial",  # of `check_array`, in HistGradientBoosting with categories
    "numpy.clip",
    "numpy.dtype",
    "numpy.nan_to_num",
    "numpy.round",
    "scipy.interpolate._bsplines.BSpline",
    "scipy.sparse._csr.csr_matrix",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.impute._iterative.IterativeImputer",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.metrics._scorer._CurveScorer",
    "sklearn.model_selection._search_successive_halving.HalvingGridSearchCV",
    "sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
    "sklearn.utils.validation.check_array",
    *_BOOSTERS,
    *(f"sklearn._loss.loss.{name}" for name in _LOSSES),
    *(f"sklearn.feature_selection.{name}" for name in _SCORES),
    *(f"sklearn.gaussian_process.kernels.{name}" for name in _KERNELS),
    *(f"sklearn.metrics.{name}" for name in _METRICS),
    *(f"sklearn.metrics._dist_metrics.{name}" for name in _DISTANCES),
    *(f"sklearn.model_selection._split.{name}" for name in _SPLITS),
)
