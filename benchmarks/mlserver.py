"""MLServer's scikit-learn runtime on the same pipeline, where `make mlserver` has installed it.

MLServer: https://mlserver.readthedocs.io. It speaks the same protocol as Berth's model server, and
loads the pipeline itself: no ONNX, scikit-learn in two processes of its own.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import joblib
from sklearn.pipeline import Pipeline

from benchmarks.servers import ROOT, WORKERS, free_port, running, wait_until

PYTHON = ROOT / ".venv-mlserver" / "bin" / "python"
_MODEL = "pay"


def is_installed() -> bool:
    """Whether `make mlserver` was done."""
    return PYTHON.with_name("mlserver").exists()


@contextmanager
def served(pipeline: Pipeline, folder: Path) -> Iterator[str]:
    """MLServer with the pipeline loaded; yields the address to ask."""
    home, log = folder / _MODEL, folder / "mlserver.log"
    home.mkdir()
    joblib.dump(pipeline, home / "model.joblib")
    runtime = {"name": _MODEL, "implementation": "mlserver_sklearn.SKLearnModel"}
    _write(home / "model-settings.json", {**runtime, "parameters": {"uri": "./model.joblib"}})
    http, grpc, metrics = free_port(), free_port(), free_port()
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    quiet = {"host": "127.0.0.1", "debug": False, "parallel_workers": WORKERS}
    _write(home / "settings.json", {**ports, **quiet})
    url = f"http://127.0.0.1:{http}/v2/models/{_MODEL}"
    command = [str(PYTHON.with_name("mlserver")), "start", str(home)]
    with running(command, {}, log, python=PYTHON) as process:
        wait_until(lambda: _is_ready(url), process, log)
        yield f"{url}/infer"


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content))


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
