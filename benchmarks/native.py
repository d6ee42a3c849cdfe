"""A model without ONNX, asked over HTTP for one row after the other, beside the pipeline itself."""

import time
from statistics import median
from typing import Any

import httpx
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from benchmarks.installation import Installation, upload
from benchmarks.pipeline import prepare, table
from benchmarks.servers import Broken

SLUG = "neighbours"
ROWS = 4_000
CALLS = 60
#: Such a distance has no counterpart in ONNX.
METRIC = "canberra"


def train() -> Pipeline:
    """Neighbours of people, and whether their city is one of the first."""
    people = table(ROWS, seed=7)
    first = people["city"] < "city 07"
    dense = prepare().set_params(sparse_threshold=0.0)  # such neighbours take nothing else
    steps = [("prepare", dense), ("neighbours", KNeighborsClassifier(metric=METRIC))]
    return Pipeline(steps).fit(people, first.astype(int))


def measure(there: Installation, rounds: int) -> list[tuple[float, float]]:
    """For each round the medians in milliseconds: over HTTP, and of `pipeline.predict` here. They
    take turns call by call. Raises Broken for a wrong answer."""
    pipeline = train()
    if upload(there, pipeline, SLUG):
        raise Broken("What should run natively has a graph.")
    with httpx.Client(base_url=there.address, headers=there.headers, timeout=60) as client:
        return [_round(client, pipeline) for _ in range(rounds)]


def _rows() -> list[Any]:
    people = table(CALLS, seed=8)
    return [people[place : place + 1] for place in range(CALLS)]


def _round(client: httpx.Client, pipeline: Pipeline) -> tuple[float, float]:
    pairs = [_asked(client, pipeline, row) for row in _rows()]
    served, here = (median(each) * 1e3 for each in zip(*pairs, strict=True))
    return served, here


def _asked(client: httpx.Client, pipeline: Pipeline, row: Any) -> tuple[float, float]:
    body = {"instances": row.to_dict(orient="records")}
    started = time.perf_counter()
    answer = client.post(f"/api/v1/models/{SLUG}/predict", json=body)
    between = time.perf_counter()
    label = pipeline.predict(row)
    ended = time.perf_counter()
    if answer.json().get("predictions") != label.tolist():
        raise Broken(f"A native model answers {answer.text[:200]}, and not {label}.")
    return between - started, ended - between
