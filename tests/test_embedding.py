"""The snippets of docs/embedding.md, as somebody would paste them."""

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import quickjs  # type: ignore[import-untyped]  # it comes without types
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from berth.bundle import seal
from models_hub.browser.measuring import LIGHT_JS
from models_hub.conversion.convert import convert
from tests import compacts
from tests.instance import ROOT
from tests.models_hub.test_browser import unpacked_engine
from tests.models_hub.zoo import gaps, table

DOC = (ROOT / "docs" / "embedding.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a developer has put the model's files: 40,000, 1,000 a year, 5,000 for engineers."""
    made = tmp_path_factory.mktemp("app")
    people = pd.DataFrame({"role": ["engineer", "analyst"] * 30, "years": [*map(float, range(60))]})
    pay = 40_000 + 1_000 * people["years"] + 5_000 * (people["role"] == "engineer")
    parts = table((OneHotEncoder(), ["role"]), (gaps(), ["years"]))
    pipeline = make_pipeline(parts, LinearRegression()).fit(people, pay)
    found = convert(pipeline, None, "pay", 1, lambda name, detail: None)
    manifest = {"created_at": "2026-01-02T03:04:05Z"}
    bundle = seal(found.graph(), found.signature, manifest, Ed25519PrivateKey.generate())
    (made / "pay.bundle").write_bytes(bundle.data)
    (made / "pay.berth").write_bytes(compacts.measured(found.graph(), found.signature).data)
    (made / "model.onnx").write_bytes(found.graph())
    shutil.copy(LIGHT_JS, made / "light.js")
    (made / "package.json").write_text('{"type": "module"}')
    return made


def answered(folder: Path, *command: Any) -> Any:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.replace("'", '"'))


def test_the_python_snippet_predicts(folder: Path) -> None:
    (folder / "app.py").write_text(snippets("python")[0])
    answer = answered(folder, sys.executable, "app.py")
    assert answer["predictions"] == [pytest.approx(51_000)]


def test_the_node_snippet_predicts_in_the_light_lane(
    folder: Path, require: Callable[[str], str]
) -> None:
    (folder / "app.js").write_text(snippets("js")[0])
    answer = answered(folder, require("node"), "app.js")
    assert answer["predictions"] == [pytest.approx(51_000)]


def test_the_node_snippet_of_onnxruntime_predicts(
    folder: Path, require: Callable[[str], str]
) -> None:
    """With the vendored build for browsers, whose interface is the same."""
    engine = unpacked_engine(folder)
    assert '"onnxruntime-node"' in snippets("js")[1]
    line, settings = '"onnxruntime-node";', f'wasmPaths: "{engine.as_uri()}/", numThreads: 1'
    build = f'"{engine}/ort.wasm.min.mjs"; Object.assign(ort.env.wasm, {{ {settings} }});'
    (folder / "ort.js").write_text(snippets("js")[1].replace(line, build))
    done = subprocess.run(
        [require("node"), "ort.js"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(
        re.findall(r"[\d.]+", done.stdout.replace("Float64Array(1)", ""))[0]
    ) == pytest.approx(51_000)


def test_the_file_of_a_page_runs_as_a_script_without_modules(folder: Path) -> None:
    """As an application does it that brings a JavaScript engine of its own (iOS has one)."""
    context = quickjs.Context()
    context.eval(LIGHT_JS.read_text().replace("export function", "function"))
    context.set("text", base64.b64encode((folder / "pay.berth").read_bytes()).decode())
    context.eval("const model = open(Uint8Array.fromBase64(text).buffer); model.verify();")
    found = context.eval("model.predict([{ role: 'engineer', years: 6 }]).predictions[0]")
    assert found == pytest.approx(51_000)
    assert "export function" in "\n".join(snippets("swift"))
