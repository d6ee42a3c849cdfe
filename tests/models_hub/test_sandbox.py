"""An upload is opened in child processes that have little, say little, and are not believed."""

import os
import resource
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import skops.io
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

from models_hub.formats import Refused
from models_hub.sandbox import Inspection, claims, frames, inspect
from models_hub.sandbox.forms import Form
from tests.models_hub import zoo


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    people = zoo.people()
    pipeline = zoo.REGRESSIONS["boosting with selection"]()
    path = tmp_path_factory.mktemp("uploads") / "wages.skops"
    skops.io.dump(pipeline.fit(people.drop(columns="wage"), people["wage"]), path)
    return path


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
    assert found.parity["rows"] >= 2_000
    assert (found.parity["max_relative_error"], found.parity["mismatches"]) == (0.0, 0)


def test_a_refusal_inside_comes_out_with_its_code_and_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(b"PK\x03\x04 and then nothing of a zip")
    told: list[tuple[str, str]] = []
    with pytest.raises(Refused) as refusal:
        inspect(path, "skops", on_stage=lambda name, status, *_: told.append((name, status)))
    assert refusal.value.code == "archive_corrupt"
    assert "upload again" in refusal.value.detail
    assert told == [("inspected", "running")]


def test_a_lane_that_cannot_be_tried_is_closed_and_nothing_is_refused(
    inside: Path, regression: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models_hub.sandbox.launch.JUDGING", "fading")
    found = inspect(regression, "skops")
    assert (found.runtime, found.compact) == ("onnx", b"")
    assert not found.browser["available"]
    assert "could not be tried" in found.browser["reason"]


def test_what_is_done_meanwhile_is_not_the_child_s_time(
    regression: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = 0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + hours * 3600)
    monkeypatch.setattr("models_hub.sandbox.process.time", clock)

    def meanwhile(known: Inspection) -> None:
        nonlocal hours
        assert (known.parity["mismatches"], known.compact) == (0, b"")
        hours += 1

    found = inspect(regression, "skops", meanwhile=meanwhile)
    assert (hours, found.browser["available"]) == (1, True)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("Forged", "not_deterministic"),
        ("Finished", "inspection_garbled"),
    ],
)
def test_what_the_first_child_says_of_itself_counts_for_nothing(
    lie: str,
    code: str,
    form: Form,
    regression: Path,
    inside: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says that all rows agree; the second child, which never saw it, finds otherwise."""
    monkeypatch.setattr("models_hub.sandbox.launch.OPENING", "forger")
    with pytest.raises(Refused) as refusal:
        inspect(regression, "skops", target=lie, form=form)
    assert refusal.value.code == code


def test_a_graph_that_is_none_is_not_used(
    form: Form, regression: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models_hub.sandbox.launch.OPENING", "forger")
    found = inspect(regression, "skops", target="Swapped", form=form)
    assert (found.runtime, found.onnx, found.parity["mismatches"]) == ("native", b"", 0)
    assert found.why_native is not None
    assert found.why_native.code == "not_convertible"


def test_what_ran_its_own_code_does_not_pass_for_a_graph(
    form: Form, regression: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models_hub.sandbox.launch.OPENING", "forger")
    with pytest.raises(Refused, match="own_code"):
        inspect(regression, "skops", target="Modest", form=form)
    with pytest.raises(Refused, match="inspection_garbled"):
        inspect(regression, "skops", target="Modest", form=form, own_code=True)


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


@pytest.mark.parametrize("said", ["1e999", "1" + "0" * 400, "NaN", '"\\ud800"'])
def test_a_message_with_what_json_cannot_hold_is_garbled(said: str) -> None:
    with pytest.raises(frames.Garbled):
        frames.parse(f'{{"spans": {{"a": [0, {said}]}}}}'.encode())


def test_a_number_beyond_64_bits_becomes_one_that_can_be_stored() -> None:
    told = claims.refusal(frames.parse(b'{"figures": {"x": %d}}' % 10**30))
    assert orjson.loads(orjson.dumps(told.figures)) == {"x": 1e30}


def test_a_message_of_json_is_shorter_than_one_of_bytes() -> None:
    header = frames.HEADER.pack
    assert not list(frames.Reader(1000, 100).feed(header(frames.BYTES, 101)))
    assert not list(frames.Reader(1000, 100).feed(header(frames.JSON, 100)))
    for kind, length in ((frames.JSON, 101), (frames.BYTES, 1001), (b"X", 1)):
        with pytest.raises(frames.Garbled):
            list(frames.Reader(1000, 100).feed(header(kind, length)))


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
