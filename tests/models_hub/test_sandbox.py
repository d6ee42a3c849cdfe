"""An upload is opened in child processes that have little, say little, and are not believed."""

import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import skops.io
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

from models_hub.formats import Refused
from models_hub.sandbox import Inspection, Limits, claims, frames, inspect, layout
from models_hub.sandbox.forms import FORMS, Form
from models_hub.sandbox.process import ENVIRONMENT, Child
from tests.models_hub import zoo

ATTACK = """
import json, os, sys, time
from models_hub.sandbox import frames

def run(arguments, given, pipe):
    exec(arguments["code"])
"""


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    people = zoo.people()
    pipeline = zoo.REGRESSIONS["boosting with selection"]()
    path = tmp_path_factory.mktemp("uploads") / "wages.skops"
    skops.io.dump(pipeline.fit(people.drop(columns="wage"), people["wage"]), path)
    return path


@pytest.fixture(params=["bubblewrap", "landlock"])
def form(request: pytest.FixtureRequest, require: Any) -> Form:
    """Each form that keeps code in."""
    if request.param == "bubblewrap":
        require("bwrap")
    found = FORMS[request.param]
    if missing := found.unavailable():
        pytest.skip(missing)
    return found


@pytest.fixture
def probe(form: Form, attacks: None) -> Any:
    """Runs a few lines of Python inside, as the job of a child."""

    def run(code: str, given: bytes = b"", **limits: Any) -> list[dict[str, Any]]:
        with Child("attack", {"code": code}, Limits(**limits), form) as child:
            return [frames.parse(payload) for _, payload in child.messages(given)]

    return run


@pytest.fixture
def attacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module `attack`, a job that runs what it is told, can be imported inside."""
    folder = tmp_path / "attacks"
    folder.mkdir()
    (folder / "attack.py").write_text(ATTACK)
    for path in (folder, *folder.parents):  # pytest's own folders are closed to others
        if path.owner() == tmp_path.owner() and path.is_relative_to(tempfile.gettempdir()):
            path.chmod(path.stat().st_mode | 0o011)
    folder.chmod(0o755)
    monkeypatch.setattr(layout, "ROOTS", (*layout.ROOTS, folder))
    monkeypatch.setattr(layout, "CODE", (*layout.CODE, folder))


def tell(expression: str) -> str:
    return f"frames.write_json(pipe, {{'told': {expression}}})"


def test_a_pipeline_becomes_onnx_with_its_stages_told_as_they_happen(
    regression: Path, tmp_path: Path
) -> None:
    sample = tmp_path / "sample.csv"
    zoo.people().to_csv(sample, index=False)
    told: list[tuple[str, str]] = []
    found = inspect(
        regression,
        "skops",
        sample=sample,
        target="wage",
        on_stage=lambda name, status, detail, seconds: told.append((name, status)),
    )
    assert isinstance(found, Inspection)
    names = ["inspected", "signature", "converted", "compared"]
    assert told == [(name, status) for name in names for status in ("running", "done")]
    assert found.report["runtime"] == "onnx"
    assert found.parity["rows"] > 1_000
    assert found.parity["mismatches"] == 0
    assert 0 < found.latency["p50_ms"] < 50
    assert found.signature.output.name == "wage"
    assert len(found.golden["instances"]) == len(found.golden["predictions"]) == 20


def test_the_calling_process_loads_nothing_of_the_upload(regression: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from models_hub.sandbox import inspect\n"
        f"inspect(Path({str(regression)!r}), 'skops')\n"
        "heavy = {'sklearn', 'skl2onnx', 'skops', 'onnx', 'onnxruntime', 'joblib', 'polars'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert os.popen(f'{sys.executable} -c "{code}"').read().strip() == "[]"


def test_a_classifier_keeps_its_labels_through_the_sandbox(tmp_path: Path) -> None:
    people = zoo.people()
    path = tmp_path / "model.skops"
    model = zoo.usual(LogisticRegression(max_iter=500))
    labels = zoo.TARGETS["booleans"](people["wage"])
    skops.io.dump(model.fit(people.drop(columns="wage"), labels), path)
    found = inspect(path, "skops")
    assert found.signature.output.labels == (False, True)
    assert set(found.golden["predictions"]) == {False, True}


def test_an_onnx_file_is_wrapped_and_compared_with_itself(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)],
        "sum",
        [value("x", TensorProto.FLOAT, [None, 3])],
        [value("y", TensorProto.FLOAT, [None, 1])],
    )
    graph.initializer.append(helper.make_tensor("axes", TensorProto.INT64, [1], [1]))
    path = tmp_path / "sum.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    found = inspect(path, "onnx", target="total")
    assert [item.name for item in found.signature.inputs] == ["f0", "f1", "f2"]
    assert found.parity == {"rows": 606, "max_relative_error": 0.0, "mismatches": 0}


def test_a_refusal_inside_comes_out_with_its_code_and_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(b"PK\x03\x04 and then nothing of a zip")
    told: list[tuple[str, str]] = []
    with pytest.raises(Refused) as refusal:
        inspect(path, "skops", on_stage=lambda name, status, *_: told.append((name, status)))
    assert refusal.value.code == "archive_corrupt"
    assert "upload again" in refusal.value.detail
    assert told == [("inspected", "running")]


def test_no_secret_of_the_parent_is_in_the_childs_environment(
    probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("SECRET_KEY", "secret")
    (answer,) = probe(tell("dict(os.environ)"))
    assert answer["told"].items() >= ENVIRONMENT.items()
    assert not {"DATABASE_URL", "SECRET_KEY", "HOME", "PATH"} & answer["told"].keys()


def test_a_child_can_write_no_file(probe: Any, tmp_path: Path) -> None:
    code = f"""
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open({str(tmp_path / "out")!r}, "w") as file: file.write("x")
    told = "written"
except OSError as error:
    told = type(error).__name__
{tell("told")}"""
    (answer,) = probe(code)
    assert answer["told"] == "OSError"


def test_too_much_memory_is_refused_to_the_child(probe: Any) -> None:
    code = f"""
try:
    hoard = bytearray(2 << 30)
    told = "taken"
except MemoryError:
    told = "refused"
{tell("told")}"""
    (answer,) = probe(code, memory=1 << 30)
    assert answer["told"] == "refused"


@pytest.mark.parametrize(
    ("code", "limits", "expected"),
    [
        ("time.sleep(60)", {"wall": 1.5}, "inspection_timeout"),
        ("while True: pass", {"cpu": 1}, "inspection_out_of_time"),
        ("os.kill(os.getpid(), 11)", {}, "inspection_crashed"),
        ("os._exit(3)", {}, "inspection_crashed"),
        ("print('x' * 1_000_000)", {}, "inspection_too_talkative"),
        ("pipe.write(b'garbage that is no message at all')", {}, "inspection_garbled"),
        ("frames.write_bytes(pipe, bytes(5_000_000))", {"result": 1 << 20}, "inspection_garbled"),
    ],
)
def test_a_child_that_misbehaves_ends_in_a_refusal(
    code: str, limits: dict[str, Any], expected: str, probe: Any
) -> None:
    with pytest.raises(Refused) as refusal:
        probe(code, **limits)
    assert refusal.value.code == expected


def test_a_result_without_its_stages_or_with_a_false_shape_is_not_believed() -> None:
    honest: dict[str, Any] = {"facts": {}, "spans": {}, "kept": [0], "signature": {}}
    for broken in (
        {**honest, "kept": [-1]},
        {**honest, "spans": {"a": [0, "x"]}},
        {**honest, "signature": {"inputs": [], "output": {}}},
        {},
    ):
        with pytest.raises(Refused) as refusal:
            claims.claim(broken)
        assert refusal.value.code == "inspection_garbled"
    told = claims.refusal({"code": "<script>", "detail": "a\x00b" * 10_000, "figures": {"x": [1]}})
    assert told.code == "inspection_garbled"
    assert told.detail.isprintable()
    assert len(told.detail) <= claims.MAX_DETAIL


def test_a_message_nested_without_end_is_garbled_not_fatal() -> None:
    with pytest.raises(frames.Garbled):
        frames.parse(b"[" * 100_000)


@pytest.mark.skipif(not zoo.CPS.exists(), reason=f"needs {zoo.CPS.name} beside the project")
def test_the_real_wage_pipeline_is_inspected_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "wages.skops"
    skops.io.dump(zoo.real_wages()[2], path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = inspect(path, "skops", sample=zoo.CPS, target="wage")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert found.parity["mismatches"] == 0
    # Processor time of both children, so that a busy machine fails nothing. On an idle one it is
    # 5 s with compiled bytecode, and twice that where every import compiles anew.
    assert after.ru_utime - before.ru_utime < 20
