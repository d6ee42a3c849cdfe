"""Every hostile file is refused with its code, nothing of it runs, and nothing is left over."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models_hub.hostile import Case
from tests.models_hub.hostile.archives import ARCHIVES, POLYGLOTS
from tests.models_hub.hostile.graphs import GRAPHS
from tests.models_hub.hostile.models import MODELS
from tests.models_hub.hostile.pickles import JOBLIBS, PICKLES

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {
    "pickle": PICKLES,
    "joblib": JOBLIBS,
    "model": MODELS,
    "skops": ARCHIVES,
    "onnx": GRAPHS,
    "polyglot": POLYGLOTS,
}
CASES = [
    pytest.param(case, id=f"{group}: {case.what}")
    for group, cases in GROUPS.items()
    for case in cases
]


class Runner:
    """The process that opens files, asked one by one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.models_hub.hostile.runner"],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'runtime'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, path: Path, filename: str) -> dict[str, Any]:
        """What became of the file."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"path": str(path), "filename": filename}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def end(self) -> None:
        """Let it go."""
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    running = Runner()
    yield running
    running.end()


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file_is_refused_and_nothing_of_it_runs(
    case: Case, runner: Runner, tmp_path: Path
) -> None:
    marker, path = tmp_path / "marker", tmp_path / "upload"
    path.write_bytes(case.build(marker))
    answer = runner.ask(path, case.filename)
    assert answer["code"] == case.code, answer["detail"]
    assert not marker.exists()
    assert not answer.get("left")


def test_the_corpus_holds_enough_and_no_case_twice() -> None:
    assert len(CASES) >= 60
    assert len({str(case.id) for case in CASES}) == len(CASES)
