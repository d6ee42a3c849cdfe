"""The pipeline that every server in the comparison runs, and the requests that it is asked.

Imputer, scaler, one-hot encoder of 44 columns, 100 boosted trees; five features. The data are
made up and seeded: what is measured does not depend on what the numbers mean.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ("education", "experience")
CHOICES = {"role": 20, "department": 10, "city": 14}  # categories of each; 44 in all
TRAINING_ROWS = 4_000
SEED = 20


@dataclass(frozen=True, slots=True)
class Question:
    """One request's body, as rows and as the Open Inference Protocol's tensors, plain or with
    MLServer's word that they are a table's columns, and the pipeline's own predictions for its
    rows (float64 [rows])."""

    rows: int
    body: bytes
    tensors: bytes
    typed: bytes
    expected: NDArray[np.float64]

    def is_answered_by(self, answer: bytes) -> bool:
        """Whether the JSON ``answer`` holds the pipeline's predictions, within 1e-5 of each."""
        content = orjson.loads(answer)
        if "outputs" in content:
            content = {"predictions": content["outputs"][0]["data"]}
        predictions = content.get("predictions")
        return np.shape(predictions) == self.expected.shape and np.allclose(
            predictions, self.expected, rtol=1e-5, atol=0.0
        )


def table(rows: int, seed: int) -> pd.DataFrame:
    """Made-up people: two numbers and three categories each."""
    random = np.random.default_rng(seed)
    numbers = {
        "education": random.integers(8, 21, rows).astype(float),
        "experience": random.gamma(3.0, 5.0, rows).round(1),
    }
    texts = {
        name: np.array([f"{name} {i:02}" for i in random.integers(0, count, rows)], dtype=object)
        for name, count in CHOICES.items()
    }
    return pd.DataFrame({**numbers, **texts})


def train() -> Pipeline:
    """The fitted pipeline."""
    people = table(TRAINING_ROWS, SEED)
    wages = pay(people, np.random.default_rng(SEED + 1))
    people.loc[::25, "experience"] = np.nan  # something for the imputer to do
    trees = GradientBoostingRegressor(n_estimators=100, random_state=SEED)
    return Pipeline([("prepare", prepare()), ("trees", trees)]).fit(people, wages)


def prepare() -> ColumnTransformer:
    """What comes before any estimator of such people."""
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), list(NUMBERS)),
        (OneHotEncoder(handle_unknown="ignore"), list(CHOICES)),
    )


def pay(people: pd.DataFrame, random: np.random.Generator) -> Any:
    """What made-up people earn."""
    codes = sum(people[name].str[-2:].astype(int) for name in CHOICES)
    base = 8.0 + 1.6 * people["education"] + 0.5 * people["experience"] + 0.3 * codes
    return base + random.normal(0.0, 2.0, len(people))


def question(pipeline: Pipeline, rows: int) -> Question:
    """A request of ``rows`` rows that the pipeline was trained on."""
    people = table(TRAINING_ROWS, SEED)[:rows]
    instances = people.to_dict(orient="records")
    body = orjson.dumps({"instances": instances})
    inputs = _tensors(people)
    kinds = {"BYTES": {"parameters": {"content_type": "str"}}}
    columns = [{**one, **kinds.get(one["datatype"], {})} for one in inputs]
    typed = {"parameters": {"content_type": "pd"}, "inputs": columns}
    return Question(
        rows,
        body,
        orjson.dumps({"inputs": inputs}),
        orjson.dumps(typed),
        pipeline.predict(people),
    )


def _tensors(people: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "datatype": "FP64" if name in NUMBERS else "BYTES",
            "shape": [len(people)],
            "data": people[name].tolist(),
        }
        for name in (*NUMBERS, *CHOICES)
    ]
