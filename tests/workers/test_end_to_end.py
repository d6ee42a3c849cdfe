"""A file of many rows through a whole Berth, whose workers are killed on the way."""

import io
import itertools
import os
import signal
import time
from contextlib import suppress
from typing import Any

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests import pipelines
from tests.instance import Instance, wait_for
from tests.models_hub import zoo
from tests.pipelines import Trained

REPEATS, KILLS = 7, 2


def trained() -> Trained:
    """On the wages of CPS 1988 where its file is there."""
    return pipelines.cps() if zoo.CPS.exists() else pipelines.wages()


def live_model(http: httpx.Client, model: Trained) -> None:
    """Upload the pipeline as a customer does, and promote it."""
    http.post("/models", json={"slug": "pay", "name": "Pay"}).raise_for_status()
    files = {"artifact": ("pay.skops", model.skops), "sample": ("rows.csv", model.sample)}
    answer = http.post(
        "/models/pay/versions", files=files, data={"target": str(model.target.name)}
    ).raise_for_status()
    place = answer.headers["Location"].removeprefix("/api/v1")
    wait_for(lambda: http.get(place).json()["status"] != "inspecting", 90, "it is inspected")
    version = http.get(place).json()
    assert version["status"] == "ready", version["refusal"]
    http.post(f"{place}/promote").raise_for_status()


def score(http: httpx.Client, file: bytes, berth: Instance) -> tuple[dict[str, Any], int]:
    """The job as it ended, and how many workers were killed while it was at work."""
    files = {"file": ("people.csv", file)}
    answer = http.post("/models/pay/jobs", files=files, data={"key": "id"}).raise_for_status()
    address, kills, seen = answer.headers["Location"].removeprefix("/api/v1"), 0, 0
    until = time.monotonic() + 240
    while (job := http.get(address).json())["status"] in ("queued", "running"):
        assert time.monotonic() < until, job
        if job["rows_done"] > seen and kills < KILLS:
            seen, kills = job["rows_done"], kills + 1
            for worker in berth.celery_workers():
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        time.sleep(0.05)
    return dict(job), kills


@pytest.mark.timeout(600)
def test_every_row_is_scored_once_and_as_scikit_learn_does_though_workers_die(
    instance: Instance,
) -> None:
    model = trained()
    made = instance.create_organisation("offline")
    frame = pd.concat([model.rows] * REPEATS, ignore_index=True)
    frame.insert(0, "id", [f"p{i}" for i in range(len(frame))])
    with httpx.Client(
        base_url=f"{instance.base_url}/api/v1",
        headers={"Authorization": f"Bearer {made['secret_key']}"},
        timeout=120,
    ) as http:
        live_model(http, model)
        job, kills = score(http, frame.to_csv(index=False).encode(), instance)
        assert kills
        counts = (job["status"], job["rows_total"], job["rows_done"], job["rows_failed"])
        assert counts == ("succeeded", len(frame), len(frame), 0)
        result = http.get(f"/jobs/{job['id']}/result?format=parquet").raise_for_status()
    got = pl.read_parquet(io.BytesIO(result.content))
    assert got["id"].to_list() == frame["id"].tolist()
    expected = model.pipeline.predict(model.rows)
    for start in itertools.islice(itertools.count(0, len(expected)), REPEATS):
        part = got["prediction"][start : start + len(expected)].to_numpy()
        np.testing.assert_allclose(part, expected, rtol=1e-5)
