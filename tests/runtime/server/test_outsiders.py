"""Programs that nobody here wrote: they understand this server, and can't upset it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sklearn.pipeline import Pipeline

from tests.runtime.conftest import people
from tests.runtime.server.running import ROOT, Server

CLIENTS = Path(os.environ.get("BERTH_CLIENTS", ROOT / ".venv-clients")) / "bin"
SCRIPTS = ROOT / "tests" / "outsiders"
EXAMPLES = 20  # of each address that schemathesis makes up


@pytest.fixture(scope="module")
def clients() -> Path:
    """The environment of the outsiders' programs; skips or fails without it."""
    if (CLIENTS / "python").exists():
        return CLIENTS
    reason = "the clients' environment is not installed (make clients)"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason}, and REQUIRE_SERVICES=1 requires it")
    pytest.skip(reason)


def run(clients: Path, script: str, address: str, server: Server) -> dict[str, Any]:
    key = server.http.headers["Authorization"].removeprefix("Bearer ")
    done = subprocess.run(
        [clients / "python", SCRIPTS / script, address, key],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def expected(regressor: Pipeline) -> Any:
    """What the pipeline says to the two rows that the clients' scripts ask about."""
    rows = people(2)
    rows["experience"], rows["education"], rows["region"] = (
        [3.0, 21.5],
        [12.0, 16.0],
        ["east", "north"],
    )
    return pytest.approx(regressor.predict(rows).tolist(), rel=1e-6)


def test_tritons_client_works_with_its_defaults(
    clients: Path, server: Server, expected: Any
) -> None:
    told = run(clients, "triton.py", f"127.0.0.1:{server.port}", server)
    for name in ("live", "ready", "model_ready", "version_ready"):
        assert told[name] is True
    assert told["extensions"] == ["binary_tensor_data"]
    assert told["inputs"] == ["experience", "education", "region"]
    assert told["id"] == "mine"
    for way in ("wage", "versioned", "gzip", "deflate", "float32", "json"):
        assert told[way] == expected, way
    assert set(told["grade"]) <= {"junior", "senior"}
    assert [len(row) for row in told["probabilities"]] == [2, 2]
    assert told["refusal"] == ["404", 'There is no model "none" here.']


def test_kserves_client_works(clients: Path, server: Server, expected: Any) -> None:
    told = run(clients, "kserve_rest.py", f"http://127.0.0.1:{server.port}", server)
    for name in ("live", "ready", "model_ready"):
        assert told[name] is True
    assert told["json"] == told["binary"] == expected
    assert told["id"] == "mine"


@pytest.mark.parametrize("document", ["ours", "the protocol's"])
def test_schemathesis_finds_no_fault(
    clients: Path, server: Server, tmp_path: Path, document: str
) -> None:
    """Bounded and repeatable; what is made up must be answered as the document says."""
    path = SCRIPTS / "open_inference_rest.yaml"
    if document == "ours":
        path = tmp_path / "openapi.json"
        path.write_text(server.get("/v2/openapi.json").text)
    address = f"http://127.0.0.1:{server.port}"
    command = [str(clients / "schemathesis"), "run", str(path), "--url", address, "--seed", "1"]
    command += ["--max-examples", str(EXAMPLES), "--no-color", "--phases", "examples,fuzzing"]
    command += ["--header", f"Authorization: {server.http.headers['Authorization']}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
