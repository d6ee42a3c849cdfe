"""Train Acme's salary model: ``python -m demo.training FOLDER``.

A process of its own, so that no process of the portal ever loads scikit-learn. It leaves in the
folder what a customer would bring: ``salary.skops`` (the fitted pipeline), ``sample.csv`` (rows
with the target) and ``metrics.json``.
"""

import json
import sys
from pathlib import Path

import pandas as pd
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_selection import SelectPercentile, f_regression
from sklearn.impute import SimpleImputer
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from demo.data import TARGET, people

ROWS, SAMPLE_ROWS = 4_000, 800


def train(folder: Path) -> None:
    """Write the three files into ``folder``; the same ones each time."""
    rows = pd.DataFrame(people(ROWS, seed=1))
    known, held_out = train_test_split(rows, test_size=0.2, random_state=1)
    model = pipeline().fit(known.drop(columns=TARGET), known[TARGET])
    guessed = model.predict(held_out.drop(columns=TARGET))
    metrics = {
        "mae": round(mean_absolute_error(held_out[TARGET], guessed)),
        "r2": round(r2_score(held_out[TARGET], guessed), 3),
        "held_out_rows": len(held_out),
    }
    skops.io.dump(model, folder / "salary.skops")
    known.head(SAMPLE_ROWS).to_csv(folder / "sample.csv", index=False)
    (folder / "metrics.json").write_text(json.dumps(metrics))


def pipeline() -> Pipeline:
    """Impute, scale, encode, select, boost: the shape of most pipelines that people bring."""
    prepare = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
                ["years_of_experience"],
            ),
            (
                "kinds",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
                ),
                ["role", "level", "department", "city", "education"],
            ),
            ("flags", "passthrough", ["remote"]),
        ],
        sparse_threshold=0,
    )
    return Pipeline(
        [
            ("prepare", prepare),
            ("select", SelectPercentile(f_regression, percentile=90)),
            (
                "boost",
                HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=12, random_state=1),
            ),
        ]
    )


if __name__ == "__main__":
    train(Path(sys.argv[1]))
