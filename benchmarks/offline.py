"""A million rows as a job, from the POST to its end, beside a plain script on the same file.

The script is what a data scientist would write: pandas.read_csv, pipeline.predict, to_csv.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import joblib
import numpy as np
import pandas as pd
import polars as pl
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from benchmarks.installation import Installation, upload
from benchmarks.pipeline import SEED, TRAINING_ROWS, pay, prepare, table
from benchmarks.servers import Broken

ROWS = 1_000_000
LONGEST_SECONDS = 900.0
#: A forest whose trees stop where a person would stop them; fully grown ones take minutes.
MODELS: dict[str, Callable[[], object]] = {
    "boosting": lambda: GradientBoostingRegressor(n_estimators=100, random_state=SEED),
    "linear": lambda: Ridge(),
    "forest": lambda: RandomForestRegressor(100, min_samples_leaf=5, random_state=SEED),
}
_SCRIPT = """
import sys, joblib, pandas
model, source, target = sys.argv[1:]
rows = pandas.read_csv(source)
rows["prediction"] = joblib.load(model).predict(rows)
rows.to_csv(target, index=False)
"""


def measure(there: Installation, folder: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """For each model and round the seconds of the job and of the script, which take turns."""
    source = folder / "people.csv"
    table(ROWS, seed=SEED + 2).to_csv(source, index=False)
    return {name: _of(there, folder, source, name, rounds) for name in MODELS}


def _of(
    there: Installation, folder: Path, source: Path, name: str, rounds: int
) -> list[tuple[float, float]]:
    pipeline = _train(name)
    model, target = folder / f"{name}.joblib", folder / f"{name}.csv"
    joblib.dump(pipeline, model)
    slug = f"offline-{name}"
    upload(there, pipeline, slug)
    there.ask("PUT", f"/models/{slug}/deployments/offline", json={"is_active": True})
    pairs = []
    for _ in range(rounds):
        seconds, job = _job(there, slug, source)
        pairs.append((seconds, _script(model, source, target)))
    _check(there, job, target)
    return pairs


def _train(name: str) -> Pipeline:
    people = table(TRAINING_ROWS, SEED)
    steps = [("prepare", prepare()), ("model", MODELS[name]())]
    return Pipeline(steps).fit(people, pay(people, np.random.default_rng(SEED + 1)))


def _job(there: Installation, slug: str, source: Path) -> tuple[float, str]:
    """Seconds from the POST to the job's end, and the job's id."""
    started = time.perf_counter()
    url = f"{there.address}/api/v1/models/{slug}/jobs"
    with source.open("rb") as file:
        response = httpx.post(url, files={"file": file}, headers=there.headers, timeout=300)
    job = response.json()
    while job.get("status") in ("queued", "running"):
        if time.perf_counter() - started > LONGEST_SECONDS:
            raise Broken(f"The job takes too long: {job}")
        time.sleep(0.1)
        job = there.ask("GET", f"/jobs/{job['id']}")
    if job.get("status") != "succeeded":
        raise Broken(f"The job did not succeed: {response.text[:300]} {job}")
    return time.perf_counter() - started, str(job["id"])


def _script(model: Path, source: Path, target: Path) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", _SCRIPT, model, source, target], check=True)
    return time.perf_counter() - started


def _check(there: Installation, job: str, target: Path) -> None:
    """Raises Broken unless job and script predict the same for every row."""
    url = f"{there.address}/api/v1/jobs/{job}/result?format=parquet"
    result = target.with_suffix(".parquet")
    answer = httpx.stream("GET", url, headers=there.headers, timeout=300)
    with answer as response, result.open("wb") as file:
        for piece in response.iter_bytes():
            file.write(piece)
    got = pl.read_parquet(result)["prediction"].to_numpy()
    due = pd.read_csv(target)["prediction"].to_numpy()
    if len(got) != len(due) or not np.allclose(got, due, rtol=1e-5, atol=0.0):
        raise Broken("The job and the script predict different values.")
