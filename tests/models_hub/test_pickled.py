"""Honest joblib and pickle files open, own code is named, and the list holds what it should."""

import io
import pickle
import sys
import types
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from models_hub.formats import FORMATS, HEAD, Opened, Refused, allowed, recognise
from models_hub.formats.harvest import names_of
from models_hub.formats.standins import STAND_INS

NUMBERS = np.random.default_rng(0).random((60, 3))
TARGET = NUMBERS.sum(axis=1)
COMPRESSIONS: list[Any] = [0, 3, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)]


class CityEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Somebody's own transformer."""

    def fit(self, X: Any, y: Any = None) -> "CityEncoder":
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 2


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Numbers, texts, an object array within, and a forest."""
    rows = pd.DataFrame(NUMBERS, columns=["a", "b", "c"]).assign(
        city=np.array(["Oslo", None] * 30, dtype=object)
    )
    numbers, texts = rows.select_dtypes("number").columns, ["city"]
    parts = [("n", StandardScaler(), numbers), ("t", OneHotEncoder(), texts)]
    return make_pipeline(
        ColumnTransformer(parts), RandomForestRegressor(3, random_state=0)
    ).fit(rows, TARGET)  # fmt: skip


def opened(path: Path, **more: Any) -> Opened:
    head = path.read_bytes()[:HEAD]
    return recognise(head, path.name).open(path, **more)


def refused(path: Path, **more: Any) -> Refused:
    with pytest.raises(Refused) as refusal:
        opened(path, **more)
    return refusal.value


def saved(tmp_path: Path, model: object, name: str = "model.pkl") -> Path:
    path = tmp_path / name
    path.write_bytes(pickle.dumps(model))
    return path


@pytest.mark.parametrize("compress", COMPRESSIONS, ids=str)
def test_a_joblib_file_opens_in_every_compression(
    compress: Any, pipeline: Pipeline, tmp_path: Path
) -> None:
    joblib.dump(pipeline, tmp_path / "model.joblib", compress=compress)
    found = opened(tmp_path / "model.joblib").model
    assert np.array_equal(found[-1].predict(np.eye(5)), pipeline[-1].predict(np.eye(5)))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_opens_in_every_protocol(
    protocol: int, pipeline: Pipeline, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(pipeline, protocol))
    assert isinstance(opened(path).model, Pipeline)


def test_a_renamed_file_opens_by_its_content(pipeline: Pipeline, tmp_path: Path) -> None:
    joblib.dump(pipeline, tmp_path / "really-joblib.pkl")
    assert isinstance(opened(tmp_path / "really-joblib.pkl").model, Pipeline)
    saved(tmp_path, pipeline, "really-pickle.joblib")
    assert isinstance(opened(tmp_path / "really-pickle.joblib").model, Pipeline)


def test_histogram_boosting_with_categories_opens(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": pd.Categorical(["x", "y"] * 30), "b": NUMBERS[:, 0]})
    model = HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=3)
    found = opened(saved(tmp_path, model.fit(rows, TARGET))).model
    assert np.array_equal(found.predict(rows), model.predict(rows))


def test_own_code_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, module in (("mycompany", "mycompany"), ("mycompany.features", "mycompany.features")):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(module))
    monkeypatch.setattr(
        sys.modules["mycompany.features"], "CityEncoder", CityEncoder, raising=False
    )
    monkeypatch.setattr(CityEncoder, "__module__", "mycompany.features")
    path = saved(tmp_path, make_pipeline(CityEncoder(), LinearRegression()).fit(NUMBERS, TARGET))
    for name in ("mycompany", "mycompany.features"):
        monkeypatch.delitem(sys.modules, name)
    refusal = refused(path)
    assert refusal.code == "own_code"
    assert refusal.detail.startswith("mycompany.features.CityEncoder is your own code")
    assert "ONNX" in refusal.detail


def by_value(model: object) -> bytes:
    here = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(here)
    try:
        return bytes(cloudpickle.dumps(model))
    finally:
        cloudpickle.unregister_pickle_by_value(here)


def test_code_inside_the_file_is_named_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(by_value(make_pipeline(CityEncoder(), Ridge()).fit(NUMBERS, TARGET)))
    refusal = refused(path)
    assert refusal.code == "own_code"
    assert "CityEncoder" in refusal.detail
    path.write_bytes(cloudpickle.dumps(FunctionTransformer(lambda X: X)))
    assert refused(path).code == "own_code"


def test_own_code_runs_where_it_was_allowed_to_and_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    model = make_pipeline(CityEncoder(), Ridge()).fit(NUMBERS, TARGET)
    path.write_bytes(by_value(model))
    found = opened(path, own_code=True)
    assert found.own_code
    assert "CityEncoder" in found.facts["own_code"]
    assert np.array_equal(found.model.predict(NUMBERS), model.predict(NUMBERS))


def test_a_file_without_own_code_is_opened_strictly_all_the_same(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    assert not opened(saved(tmp_path, pipeline), own_code=True).own_code
    path = tmp_path / "calls.pkl"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert refused(path, own_code=True).code == "pickle_forbidden_global"


def test_a_file_of_another_scikit_learn_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path, LinearRegression().fit(NUMBERS, TARGET))
    path.write_bytes(path.read_bytes().replace(sklearn.__version__.encode(), b"1.6.9"))
    assert opened(path).facts["saved_by"] == "scikit-learn 1.6.9"


def test_a_file_that_this_scikit_learn_cannot_read_names_both_versions(tmp_path: Path) -> None:
    path = saved(tmp_path, RandomForestRegressor(1).fit(NUMBERS, TARGET))
    data = path.read_bytes().replace(sklearn.__version__.encode(), b"0.9.9")
    path.write_bytes(data.replace(b"left_child", b"left_chilt"))
    refusal = refused(path)
    assert refusal.code == "sklearn_version_unsupported"
    assert "0.9.9" in refusal.detail
    assert sklearn.__version__ in refusal.detail


def test_no_name_on_the_list_reaches_further_than_a_model_needs() -> None:
    lines = allowed.DATA.read_text().splitlines()
    assert lines == sorted(set(lines))
    rooms = {line.split(".")[0].split(" ")[0] for line in lines}
    assert rooms <= {
        "_codecs", "builtins", "catboost", "collections", "copyreg", "lightgbm", "numpy", "pandas",
        "scipy", "sklearn", "xgboost", "_catboost", "joblib",
    }  # fmt: skip
    for line in lines:
        module, name = line.split(" ")
        assert "." not in name
        if find_spec(module.partition(".")[0]) is None:  # a boosting library, which is an extra
            continue
        assert allowed.is_safe(module, name), line
        assert hasattr(import_module(module), name), line


@pytest.mark.parametrize(
    "name",
    [
        "os.system", "posix.system", "subprocess.Popen", "builtins.eval", "builtins.exec",
        "builtins.getattr", "builtins.__import__", "builtins.open", "builtins.type",
        "functools.partial", "operator.attrgetter", "operator.methodcaller", "importlib.reload",
        "joblib.memory.Memory", "joblib.numpy_pickle.load", "numpy.load", "numpy.fromfile",
        "numpy.memmap", "pandas.read_pickle", "pandas.eval", "pickle.loads", "runpy.run_path",
        "sklearn.datasets.fetch_openml", "sklearn.utils.os.system", "cloudpickle.loads",
        "types.FunctionType", "django.core.management.call_command",
    ],
)  # fmt: skip
def test_nothing_that_runs_code_or_reads_files_is_on_the_list(name: str) -> None:
    module, _, last = name.rpartition(".")
    with pytest.raises(KeyError):
        allowed.resolve(module, last)


@pytest.mark.parametrize(
    "model",
    [LinearRegression(), KNeighborsRegressor(), SVC(), FunctionTransformer(np.log1p)],
    ids=lambda model: type(model).__name__,
)
def test_the_list_holds_what_a_fresh_harvest_finds(model: Any) -> None:
    model.fit(NUMBERS, (TARGET.mean() < TARGET).astype(int))
    for module, name in names_of(model):
        assert (module, name) in STAND_INS or allowed.resolve(module, name) is not None


def test_each_pickled_format_refuses_what_holds_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(1, path, compress=("xz", 3))
    stream = io.BytesIO(path.read_bytes())
    assert FORMATS["joblib"].matches(stream.read(HEAD))
    assert refused(path).code == "not_a_predictor"
