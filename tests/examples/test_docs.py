"""What docs/subscriber.md and the example's README say is so."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from berth.bundle import Bundle, seal
from berth.signature import Field, Output, Signature
from tests.instance import ROOT
from tests.runtime.feed.fake import FakePortal

PAGE = (ROOT / "docs/subscriber.md").read_text()
README = (ROOT / "examples/flask_app/README.md").read_text()


@pytest.fixture
def pay(key: Ed25519PrivateKey) -> Bundle:
    """The model of the documents: a salary from role and years."""
    frame = pd.DataFrame({"role": ["engineer", "analyst"] * 20, "years": np.arange(40.0)})
    columns = make_column_transformer((OneHotEncoder(), ["role"]), remainder="passthrough")
    pipeline = make_pipeline(columns, LinearRegression()).fit(frame, 40_000 + 1000 * frame.years)
    types = [("role", StringTensorType([None, 1])), ("years", DoubleTensorType([None, 1]))]
    onnx = to_onnx(pipeline, initial_types=types, target_opset={"": 21, "ai.onnx.ml": 3})
    inputs = (Field("role", "string"), Field("years", "number"))
    signature = Signature(inputs, Output("salary", "regression", unit="EUR per year"))
    manifest = {"created_at": "2026-01-02T03:04:05Z"}
    return seal(onnx.SerializeToString(), signature, manifest, key)


@pytest.fixture
def snippets(
    portal: FakePortal, pay: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """The names that all of the page's Python leaves behind, run one after the other."""
    raw = portal.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BERTH", portal.url)
    monkeypatch.setenv("BERTH_KEY", portal.token)
    monkeypatch.setenv("BERTH_PUBLIC_KEY", base64.b64encode(raw).decode())
    portal.promote(pay, 4)
    Path("pay.bundle").write_bytes(pay.data)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    yield names
    names["subscriber"].close()


def test_the_snippets_work_as_printed(snippets: dict[str, Any]) -> None:
    assert snippets["answer"]["version"] == 4
    client = snippets["app"].test_client()
    row = {"role": "engineer", "years": 4}
    told = client.post("/estimate", json={"instances": [row]}).get_json()
    assert told["predictions"] == pytest.approx([44_000])
    assert told["unit"] == "EUR per year"
    assert client.post("/estimate", json={"instances": [{"role": 1}]}).status_code == 422
    assert client.get("/health").get_json()["models"][0]["serving"] == 4


def test_the_codes_that_it_names_are_those_that_there_are() -> None:
    known = "".join(path.read_text() for path in (ROOT / "runtime/berth").rglob("*.py"))
    section = PAGE.split("## What happens when")[1].split("## Processes")[0]
    codes = set(re.findall(r"`([a-z_]+)`", section)) - {"folder", "berth"}
    assert len(codes) > 10
    assert [code for code in codes if f'"{code}"' not in known] == []


def test_the_table_of_variables_is_the_one_that_the_site_reads() -> None:
    rows = re.findall(r"^\| `(BERTH_\w+)` \| `?([\w-]*)`? ?\|", README, re.MULTILINE)
    site = (ROOT / "examples/flask_app/careers/__init__.py").read_text()
    needed = re.findall(r'environ\["(\w+)"\]', site)
    optional = re.findall(r'environ\.get\("(\w+)", "([\w-]+)"\)', site)
    assert sorted(rows) == sorted([*((name, "") for name in needed), *optional])


@pytest.mark.parametrize("page", [PAGE, README])
def test_every_file_that_they_name_is_there(page: str) -> None:
    folder = ROOT / ("docs" if page is PAGE else "examples/flask_app")
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page):
        assert (folder / target).exists(), target
