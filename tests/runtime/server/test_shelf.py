"""Many models in one server: memory is bounded, and what is not asked for makes room."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from onnx import ModelProto, numpy_helper
from sklearn.linear_model import LinearRegression

from berth.bundle import Bundle, seal
from berth.feed.manifest import Manifest
from berth.feed.store import Store
from tests.runtime.conftest import REGRESSION, converted, trained
from tests.runtime.server.portal import ServerPortal
from tests.runtime.server.running import serving

MODELS = 1_000
ONE: dict[str, list[Any]] = {"experience": [0.0], "education": [1], "region": ["east"]}


def many(key: Ed25519PrivateKey) -> Iterator[Bundle]:
    """Bundles of one pipeline, each with an intercept of its own: number n answers n."""
    pipeline = trained(LinearRegression(), lambda frame: 0 * frame.experience)
    graph = ModelProto.FromString(converted(pipeline))
    intercept = next(t for t in graph.graph.initializer if "intercept" in t.name)
    kind = numpy_helper.to_array(intercept)
    for number in range(MODELS):
        value = np.full_like(kind, number)
        intercept.CopyFrom(numpy_helper.from_array(value, intercept.name))
        about = {"created_at": "2026-01-02T03:04:05Z"}
        yield seal(graph.SerializeToString(), REGRESSION, about, key)


def fill(portal: ServerPortal, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server that ran before left on its disk; without waiting for the disk each time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    store = Store(folder, portal.key.public_key())
    for number, bundle in enumerate(many(portal.key)):
        portal.promote(bundle, 1, f"model-{number}")
        manifest = Manifest.read(portal.lines[-1], None)
        store.bring(manifest, partial(_write, bundle.data))
        store.apply(manifest)


def _write(data: bytes, into: Path) -> None:
    into.write_bytes(data)


def figure(metrics: str, name: str) -> float:
    return float(
        next(line for line in metrics.splitlines() if line.startswith(f"{name} ")).split()[1]
    )


def test_a_thousand_models_share_one_small_memory(
    key: Ed25519PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = ServerPortal(key)
    fill(portal, tmp_path, monkeypatch)
    portal.up()
    try:
        with serving(portal, tmp_path, "--memory", "8", key=portal.issue()) as server:
            assert figure(server.metrics().text, "berth_models_loaded") == 0
            for number in [*range(0, MODELS, 10), 0, 999]:
                answer = server.infer(ONE, model=f"model-{number}")
                (predicted,) = answer.json()["outputs"][0]["data"]
                assert predicted == pytest.approx(number, abs=0.01)
            metrics = server.metrics().text
            assert figure(metrics, "berth_models") == MODELS
            assert figure(metrics, "berth_models_loaded_bytes") <= 8 * 1024**2
            assert figure(metrics, "berth_models_evicted_total") > 0
    finally:
        portal.down()
