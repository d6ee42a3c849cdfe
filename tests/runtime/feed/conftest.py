"""A portal to follow, and models to publish on it."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sklearn.linear_model import LinearRegression

from berth.bundle import Bundle, seal
from berth.feed.subscriber import Subscriber
from tests.runtime.conftest import REGRESSION, converted, people, trained
from tests.runtime.feed.fake import FakePortal, fake_portal


@pytest.fixture
def portal(key: Ed25519PrivateKey) -> Iterator[FakePortal]:
    with fake_portal(key) as fake:
        yield fake


def thousands(number: int, frame: pd.DataFrame) -> Any:
    return 1000 * number + frame.experience


@pytest.fixture(scope="session")
def bundles(key: Ed25519PrivateKey) -> list[Bundle]:
    """Three versions whose every answer tells them apart: about 1000, 2000 and 3000."""
    made = []
    for number in (1, 2, 3):
        pipeline = trained(LinearRegression(), partial(thousands, number))
        golden = people(3, seed=1)
        manifest: dict[str, Any] = {
            "created_at": f"2026-01-0{number}T03:04:05Z",
            "golden": {
                "instances": golden.to_dict("records"),
                "predictions": pipeline.predict(golden).tolist(),
            },
        }
        made.append(seal(converted(pipeline), REGRESSION, manifest, key))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "followed"


@pytest.fixture
def follow(portal: FakePortal, folder: Path) -> Iterator[Callable[..., Subscriber]]:
    """Makes subscribers of this portal that share a folder, and closes them."""
    made: list[Subscriber] = []

    def start(*models: str, wait: float = 30.0) -> Subscriber:
        subscriber = Subscriber(
            feed=portal.url,
            key="sk_test",
            models=models or ("pay",),
            public_key=portal.key.public_key(),
            folder=folder,
            name="careers-1",
        )
        made.append(subscriber)
        return subscriber.start(wait)

    yield start
    for subscriber in made:
        subscriber.close()
