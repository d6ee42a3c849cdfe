"""What a worker is before its first task."""

import os
import subprocess
import sys

import pytest

LOADED = """
import os
from workers.celery import app
app.loader.import_default_modules()
heavy = {"sklearn", "skl2onnx", "skops", "joblib"} & set(__import__("sys").modules)
print(len(os.listdir("/proc/self/task")), sorted(heavy))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_what_a_worker_imports_starts_no_thread_that_a_fork_would_lose() -> None:
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # numpy's own threads survive a fork
    done = subprocess.run(
        [sys.executable, "-c", LOADED], env=environ, capture_output=True, text=True
    )
    assert done.stdout.split(maxsplit=1) == ["1", "[]\n"], done.stderr
