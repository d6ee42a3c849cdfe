"""A portal with models and keys, and a server of it that most tests share."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LinearRegression

from berth.bundle import Bundle, seal
from berth.signature import Field, Output, Signature
from tests.runtime.conftest import REGRESSION, converted, trained
from tests.runtime.server.portal import ServerPortal
from tests.runtime.server.running import Server, serving

HOLES = Signature(
    (
        Field("years", "number", nullable=True),
        Field("city", "string", nullable=True),
        Field("member", "boolean", nullable=True),
    ),
    Output("score", "regression"),
)


def holes(key: Ed25519PrivateKey) -> Bundle:
    """A model that takes null in each column: it counts the columns that have a value."""
    inputs = [
        helper.make_tensor_value_info(field.name, kind, [None, 1])
        for field, kind in zip(
            HOLES.inputs, (TensorProto.DOUBLE, TensorProto.STRING, TensorProto.DOUBLE), strict=True
        )
    ]
    empty = numpy_helper.from_array(np.array([""], dtype=object), "empty")
    nodes = [
        helper.make_node("IsNaN", ["years"], ["no_years"]),
        helper.make_node("IsNaN", ["member"], ["no_member"]),
        helper.make_node("Equal", ["city", "empty"], ["no_city"]),
    ]
    for name in ("years", "member", "city"):
        nodes.append(helper.make_node("Not", [f"no_{name}"], [f"has_{name}"]))
        nodes.append(
            helper.make_node("Cast", [f"has_{name}"], [f"one_{name}"], to=TensorProto.DOUBLE)
        )
    nodes.append(helper.make_node("Sum", ["one_years", "one_member", "one_city"], ["score"]))
    output = helper.make_tensor_value_info("score", TensorProto.DOUBLE, [None, 1])
    graph = helper.make_graph(nodes, "holes", inputs, [output], [empty])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return seal(model.SerializeToString(), HOLES, {"created_at": "2026-01-02T03:04:05Z"}, key)


@pytest.fixture(scope="session")
def lived_in(key: Ed25519PrivateKey, bundle: Bundle, classes: Bundle) -> Iterator[ServerPortal]:
    """Acme has `pay` (a regression), `grade` (a classification) and `holes` (takes null)."""
    portal = ServerPortal(key)
    portal.promote(bundle, 1)
    portal.promote(classes, 1, "grade")
    portal.promote(holes(key), 1, "holes")
    portal.up()
    yield portal
    portal.down()


@pytest.fixture(scope="session")
def server(lived_in: ServerPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    secret = lived_in.issue()
    with serving(lived_in, tmp_path_factory.mktemp("server"), key=secret) as running:
        yield running


@pytest.fixture
def portal(key: Ed25519PrivateKey, bundle: Bundle) -> Iterator[ServerPortal]:
    """A portal of the test's own with `pay`."""
    fresh = ServerPortal(key)
    fresh.promote(bundle, 1)
    fresh.up()
    yield fresh
    if fresh.server is not None:
        fresh.down()


@pytest.fixture(scope="session")
def bundles(key: Ed25519PrivateKey) -> list[Bundle]:
    """Three versions of a wage model, each a Bundle of its own."""
    pipeline = trained(LinearRegression(), lambda frame: 10 + frame.experience)
    onnx = converted(pipeline)
    return [
        seal(onnx, REGRESSION, {"created_at": f"2026-01-0{n}T03:04:05Z"}, key) for n in (1, 2, 3)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "served"
