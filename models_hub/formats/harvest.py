"""Writes `allowed_names.txt`: every name that pickles of honest models refer to.

Run `python -m models_hub.formats.harvest` after scikit-learn, numpy, scipy, pandas or a boosting
library changed, and read the difference before it is committed: each line is a class that a
stranger's file may build, or a function that it may call with arguments of its own.

Estimators are fitted with scikit-learn's own test parameters and pickled; the public functions
that a pipeline may carry as parameters are named here.
"""

import io
import pickle
import signal
import sys
import warnings
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import scipy.special
from joblib.numpy_pickle import NumpyArrayWrapper
from sklearn import feature_selection, metrics, model_selection
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes it public
from sklearn.gaussian_process import kernels
from sklearn.neighbors import BallTree, KDTree
from sklearn.utils import Bunch, all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances

from models_hub.formats.allowed import DATA, FUNCTIONS, WHERE, Name, canonical, is_safe

SECONDS = 20  # for one estimator; the few that take longer differ in nothing
SMALL = {"n_estimators": 3, "max_iter": 5, "n_jobs": 1}
PROTOCOLS = (0, 2, 5)
#: Public names of each library that are taken as far as it is installed.
BOOSTERS = {
    "xgboost": ("XGBRegressor", "XGBClassifier", "XGBRFRegressor", "XGBRFClassifier"),
    "lightgbm": ("LGBMRegressor", "LGBMClassifier"),
    "catboost": ("CatBoostRegressor", "CatBoostClassifier"),
}
#: Modules of plain computing classes, of which a fitted model holds one or another.
FAMILIES = (
    "sklearn._loss._loss",
    "sklearn._loss.link",
    "sklearn._loss.loss",
    "sklearn.linear_model._sgd_fast",
    "sklearn.metrics._dist_metrics",
    "sklearn.neural_network._stochastic_optimizers",
)
QUIET: dict[str, dict[str, Any]] = {
    "catboost": {"verbose": 0, "allow_writing_files": False},
    "lightgbm": {"verbose": -1},
}


class _Listener(pickle.Unpickler):
    """Notes each name that a pickle asks for. Reads nothing but what this script pickled."""

    names: set[Name]

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        self.names.add(canonical(module, name))
        return found


def names_of(value: object) -> set[Name]:
    """The (module, name) pairs that the pickles of `value` refer to."""
    names: set[Name] = set()
    for protocol in PROTOCOLS:
        listener = _Listener(io.BytesIO(pickle.dumps(value, protocol)))
        listener.names = names
        listener.load()
    return names


def harvest() -> list[Name]:
    """All names that hold the rule of `is_safe`, sorted."""
    names: set[Name] = set()
    for value in [*_data(), *_parameters(), *_estimators(), *_boosters()]:
        with suppress(pickle.PicklingError, AttributeError, TypeError):  # holds a lambda
            names |= names_of(value)
    return sorted(name for name in names if is_safe(*name))


def _rows() -> tuple[Any, dict[str, Any]]:
    random = np.random.default_rng(0)
    rows = np.abs(random.normal(size=(60, 4))) + 0.1
    label = (rows[:, 0] > rows[:, 1]).astype(int)
    return rows, {
        "label": label,
        "number": rows[:, 2],
        "labels": np.c_[label, 1 - label],
        "nothing": None,
    }


def _estimators() -> Iterator[object]:
    """Each scikit-learn estimator, unfitted as a class, and fitted on what it takes."""
    rows, targets = _rows()
    for name, kind in all_estimators():
        yield kind
        with suppress(Exception):
            for estimator in list(_construct_instances(kind))[:6]:
                taken = SMALL.keys() & estimator.get_params(deep=False).keys()
                estimator.set_params(**{key: SMALL[key] for key in taken})
                yield from _fitted(name, estimator, rows, targets)


def _fitted(name: str, estimator: Any, rows: Any, targets: dict[str, Any]) -> Iterator[object]:
    wanted = [scipy.sparse.csr_matrix(rows), rows] if "N" in name or "SV" in name else [rows]
    if name.endswith("Imputer"):  # without gaps they learn nothing
        wanted = [np.where(rows > 1.5, np.nan, rows)]
    for given in wanted:
        for target in targets.values():
            with suppress(Exception), _at_most(SECONDS):
                yield estimator.fit(given, target)
                break
    with suppress(Exception), _at_most(SECONDS):  # those that read texts or dicts
        yield clone(estimator).fit(["a b", "b c"] if "Vect" in name else [{"a": 1}], [0, 1])


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _overdue(*_: object) -> None:
    raise TimeoutError


def _data() -> list[object]:
    """Plain values, arrays and tables' headers, which estimators hold as parameters and state."""
    matrix = scipy.sparse.csr_matrix(np.eye(2))
    plain: list[object] = [
        np.float64(1), np.float32(1), np.int64(1), np.int32(1), np.bool_(True), np.str_("a"),
        np.array([1.0]), np.array(["a"]), np.array(["a"], dtype=object), np.ma.array([1]),
        np.datetime64("2026-01-01"), np.dtype("f4"), np.dtype([("a", "f8")]),
        np.asfortranarray(np.eye(3)), np.array([1.0], dtype=">f8"),
        OrderedDict(a=1), defaultdict(int), Counter("a"), slice(1), range(3), {1}, frozenset([1]),
        1j, NumpyArrayWrapper, bytearray(b"a"), b"\xff", Bunch(a=1),
        float, int, str, bool, object, dict, list, tuple,
        np.random.RandomState(0), np.random.default_rng(0),
        pd.Index(["a"]), pd.Index(["a"], dtype=object), pd.Index([1]), pd.RangeIndex(2), pd.NA,
        pd.Index(["a"]).to_numpy(), KDTree(np.eye(3)), BallTree(np.eye(3)),
    ]  # fmt: skip
    numbers = [getattr(np, f"{kind}{bits}") for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
    kinds = ("csr", "csc", "coo", "bsr", "dia", "lil")
    sparse = [matrix.asformat(kind) for kind in kinds]
    arrays = [scipy.sparse.csr_array(matrix), scipy.sparse.csc_array(matrix)]
    return [*plain, *numbers, np.float16, np.float32, np.float64, np.bool_, *sparse, *arrays]


def _parameters() -> Iterator[object]:
    """Functions and objects that users hand to estimators."""
    for module, functions in FUNCTIONS.items():
        yield from (getattr(import_module(module), name) for name in functions)
    yield from (metrics.get_scorer(name) for name in metrics.get_scorer_names())
    yield make_column_selector(dtype_include=float)
    yield from _public(feature_selection, "f_", "chi2", "mutual_info_", "r_regression")
    yield from _public(metrics, "mean_", "median_", "max_error", "r2_score", "root_mean_")
    yield from (kind for kind in vars(kernels).values() if _is_kernel(kind))
    for family in FAMILIES:
        members = vars(import_module(family)).values()
        yield from (kind for kind in members if getattr(kind, "__module__", "") == family)
    for name in model_selection.__all__:
        if isinstance(kind := getattr(model_selection, name), type) and hasattr(kind, "split"):
            yield kind


def _is_kernel(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, kernels.Kernel | kernels.Hyperparameter)


def _public(module: Any, *beginnings: str) -> Iterator[object]:
    return (getattr(module, name) for name in module.__all__ if name.startswith(beginnings))


def _boosters() -> Iterator[object]:
    """Fitted models of the boosting libraries that are installed."""
    rows, targets = _rows()
    for library, kinds in BOOSTERS.items():
        with suppress(ImportError):
            found = import_module(library)
            for name in kinds:
                kind = getattr(found, name)
                quiet = dict(QUIET.get(library, {}))
                target = targets["label" if "Classifier" in name else "number"]
                yield kind(n_estimators=3, **quiet).fit(rows, target)


def written(names: Iterable[Name]) -> str:
    """The data file's text."""
    return "".join(f"{module} {name}\n" for module, name in names)


def main() -> None:
    """Write the file, and say how long the list is."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _overdue)
    names = harvest()
    DATA.write_text(written(names))
    sys.stdout.write(f"{len(names)} names in {WHERE}\n")


if __name__ == "__main__":
    main()
