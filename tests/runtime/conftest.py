"""Small models trained, converted and sealed for the runtime's tests."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from berth.bundle import Bundle, seal
from berth.signature import Field, Output, Signature

INPUTS = (
    Field("experience", "number", minimum=0, maximum=40),
    Field("education", "integer", minimum=1, maximum=18),
    Field("region", "string", choices=("east", "north", "west")),
)
REGRESSION = Signature(INPUTS, Output("wage", "regression", unit="USD"))


def people(rows: int = 300, seed: int = 7) -> pd.DataFrame:
    """Applicants as a company's table would hold them."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "experience": random.uniform(0, 40, rows),
            "education": random.integers(1, 19, rows).astype(float),
            "region": random.choice(["east", "north", "west"], rows),
        }
    )


def trained(estimator: Any, target: Callable[[pd.DataFrame], Any]) -> Pipeline:
    """A scaler, a one-hot encoder and the estimator, fitted on people."""
    columns = make_column_transformer(
        (StandardScaler(), ["experience", "education"]),
        (OneHotEncoder(handle_unknown="ignore"), ["region"]),
    )
    frame = people()
    return make_pipeline(columns, estimator).fit(frame, target(frame))


def converted(pipeline: Pipeline) -> bytes:
    """The pipeline as ONNX by the Bundle's conventions."""
    types = [
        (field.name, (StringTensorType if field.type == "string" else DoubleTensorType)([None, 1]))
        for field in INPUTS
    ]
    options = {"zipmap": False} if hasattr(pipeline, "predict_proba") else None
    opset = {"": 21, "ai.onnx.ml": 3}
    model = to_onnx(
        pipeline,
        initial_types=types,
        target_opset=opset,
        options={id(pipeline): options} if options else None,
    )
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def regressor() -> Pipeline:
    return trained(LinearRegression(), lambda frame: 10 + 2 * frame.experience + frame.education)


@pytest.fixture(scope="session")
def classifier() -> Pipeline:
    return trained(
        LogisticRegression(), lambda frame: np.where(frame.experience > 20, "senior", "junior")
    )


@pytest.fixture(scope="session")
def bundle(regressor: Pipeline, key: Ed25519PrivateKey) -> Bundle:
    """The regression, sealed with three golden rows."""
    golden = people(3, seed=1)
    manifest = {
        "created_at": "2026-01-02T03:04:05Z",
        "model": "wages",
        "golden": {
            "instances": golden.to_dict("records"),
            "predictions": regressor.predict(golden).tolist(),
        },
    }
    return seal(converted(regressor), REGRESSION, manifest, key)


@pytest.fixture(scope="session")
def classes(classifier: Pipeline, key: Ed25519PrivateKey) -> Bundle:
    """The classification, sealed."""
    output = Output("grade", "classification", labels=("junior", "senior"))
    manifest = {"created_at": "2026-01-02T03:04:05Z"}
    return seal(converted(classifier), Signature(INPUTS, output), manifest, key)
