"""The careers site against a whole portal: promoted while it serves."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from berth.feed.manifest import public_key
from tests.examples.site import Site, asked
from tests.instance import Instance, wait_for
from tests.outside import Outsider

ROW = {"role": "engineer", "years": 4}


@cache
def people() -> pd.DataFrame:
    return pd.DataFrame({"role": ["engineer", "analyst"] * 40, "years": np.arange(80.0) / 2})


def model(number: int) -> bytes:
    """A pipeline whose answers say which version it is: 1000 times its number, and the years."""
    columns = make_column_transformer((OneHotEncoder(), ["role"]), remainder="passthrough")
    frame = people()
    pipeline = make_pipeline(columns, LinearRegression()).fit(frame, 1000 * number + frame.years)
    return bytes(skops.io.dumps(pipeline))


@pytest.fixture(scope="module")
def outsider(instance: Instance) -> Outsider:
    """A customer with two ready versions of the model “pay”, published."""
    made = instance.create_organisation("fjordline")
    outsider = Outsider(instance.base_url, made["secret_key"])
    outsider.post("/models", 201, json={"slug": "pay", "name": "Pay"})
    sample = people().assign(pay=1.0).to_csv(index=False).encode()
    for number in (1, 2):
        version = outsider.upload("pay", model(number), sample, "pay")
        assert version["status"] == "ready", version["refusal"]
    deployed = outsider.client.put("/models/pay/deployments/published", json={"is_active": True})
    assert deployed.status_code == 200, deployed.text
    outsider.post("/models/pay/versions/1/promote")
    return outsider


@pytest.mark.timeout(400)
def test_promoted_in_the_portal_it_swaps_without_one_failed_or_mixed_answer(
    instance: Instance, outsider: Outsider, tmp_path: Path
) -> None:
    told = outsider.get("/server/public-key")["ed25519"]
    site = Site(instance.base_url, outsider.key, public_key(told), tmp_path)
    try:
        with asked(site, ROW) as answers:
            answers(1)
            outsider.post("/models/pay/versions/2/promote")
            answers(2)
            outsider.post("/models/pay/rollback")
            answers(1)
        outsider.post("/models/pay/withdraw")
        wait_for(lambda: site.version() is None, 30, "the withdrawal")
        assert site.client.post("/estimate", json=ROW).json()["code"] == "withdrawn"
    finally:
        site.stop()
