"""A model without a graph answers in a process of its own, which is believed in nothing."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import catboost
import joblib
import numpy as np
import psutil  # type: ignore[import-untyped]  # it comes without types
import pytest
from sklearn.linear_model import Ridge

from berth.predictions import PredictionError
from berth.signature import Field, Output, Signature
from models_hub.formats import Refused
from models_hub.sandbox import NoSandbox, claims, inspect, native, packing
from models_hub.sandbox.forms import FORMS, Form
from models_hub.sandbox.native import Failed, Recipe, Resident
from tests import natives
from tests.instance import wait_for
from tests.models_hub import zoo

NUMBER = Signature((Field("x", "number"),), Output("y", "regression"))
LABELS = Signature((Field("x", "number"),), Output("y", "classification", labels=("a", "b", "c")))
ROWS = {"x": np.array([[1.0], [2.0]])}


def test_rows_and_answers_go_over_the_pipe_as_they_are() -> None:
    inputs = (Field("x", "number"), Field("city", "string"))
    signature = Signature(inputs, LABELS.output)
    texts = np.array([["Łódź"], [""], ["a\x00b\n"]], dtype=object)
    asked = {"city": texts, "x": np.array([[1.5], [np.nan], [-0.0]])}
    number, columns = packing.unpack_question(signature, packing.pack_question(7, signature, asked))
    assert number == 7
    assert columns["city"].tolist() == texts.tolist()
    np.testing.assert_array_equal(columns["x"], asked["x"])
    values = np.array(["c", "a", "b"], dtype=object)
    chances = np.eye(3)[[2, 0, 1]]
    found = packing.unpack_answer(
        7, 3, signature, packing.pack_answer(7, signature, values, chances)
    )
    assert found.values.tolist() == ["c", "a", "b"]
    assert found.labels == ("a", "b", "c")
    np.testing.assert_array_equal(found.probabilities, chances)


@pytest.mark.parametrize("labels", [(1, 2), (False, True), (0.5, 1.5), ("x", "y")])
def test_labels_keep_their_kind(labels: tuple[Any, ...]) -> None:
    signature = Signature(NUMBER.inputs, Output("y", "classification", labels=labels))
    values = np.array(labels)[[1, 0]]
    found = packing.unpack_answer(1, 2, signature, packing.pack_answer(1, signature, values, None))
    assert [(type(v), v) for v in found.values.tolist()] == [(type(v), v) for v in labels[::-1]]


def test_a_question_that_is_cut_or_longer_is_no_question() -> None:
    whole = packing.pack_question(1, NUMBER, ROWS)
    for wrong in (whole[:5], whole[:-1], whole + b"x"):
        with pytest.raises(packing.Misfit):
            packing.unpack_question(NUMBER, wrong)


Lie = Callable[..., Resident]


@pytest.fixture
def liar(inside: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lie]:
    """Start a process that lies."""
    monkeypatch.setattr(native, "SERVING", "liar")
    file = tmp_path / "model"
    file.write_bytes(b"-")
    started: list[Resident] = []

    def start(lie: str, signature: Signature = NUMBER) -> Resident:
        started.append(Resident(Recipe("joblib", signature, (lie,)), file, FORMS["process"]))
        return started[-1]

    yield start
    for resident in started:
        resident.end()


NONSENSE = [
    "nothing",
    "half a head",
    "too few",
    "too many",
    "another count",
    "another question",
    "probabilities",
    "no JSON",
]


@pytest.mark.parametrize("lie", NONSENSE)
def test_an_answer_that_does_not_fit_the_question_ends_the_process(liar: Lie, lie: str) -> None:
    resident = liar(lie)
    resident.settle(20)
    with pytest.raises(Failed, match="no usable answer"):
        resident.predict(ROWS, 5)
    assert not resident.alive


@pytest.mark.parametrize("lie", ["an unknown label", "few probabilities"])
def test_labels_and_probabilities_are_counted(liar: Lie, lie: str) -> None:
    resident = liar(lie, LABELS)
    resident.settle(20)
    with pytest.raises(Failed, match="no usable answer"):
        resident.predict(ROWS, 5)


@pytest.mark.parametrize(("lie", "rows"), [("no number", (0, 1)), ("infinity", (1,))])
def test_an_answer_that_is_no_finite_number_is_none(
    liar: Lie, lie: str, rows: tuple[int, ...]
) -> None:
    resident = liar(lie)
    resident.settle(20)
    with pytest.raises(PredictionError) as error:
        resident.predict(ROWS, 5)
    assert error.value.rows == rows
    assert resident.alive


def test_what_an_error_says_is_text_and_short(liar: Lie) -> None:
    resident = liar("an error that is no text")
    resident.settle(20)
    with pytest.raises(PredictionError, match="did not say why"):
        resident.predict(ROWS, 5)


def test_an_error_too_long_to_be_read_ends_the_process(liar: Lie) -> None:
    resident = liar("a long error")
    resident.settle(20)
    with pytest.raises(Failed):
        resident.predict(ROWS, 5)
    assert not resident.alive


def test_a_process_that_begins_with_something_else_is_ended(liar: Lie) -> None:
    resident = liar("hello")
    with pytest.raises(Refused, match="inspection_garbled"):
        resident.settle(20)
    assert not resident.alive


def test_many_rows_are_asked_in_several_frames(liar: Lie, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "MOST_ROWS", 3)
    resident = liar("the truth")
    resident.settle(20)
    assert resident.predict({"x": np.zeros((8, 1))}, 5).values.tolist() == [1.0] * 8


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "model.joblib"
    path.write_bytes(natives.own().file)
    return path


@pytest.fixture
def resident(form: Form, own: Path) -> Iterator[Resident]:
    """A model with code of its own, behind each form's walls."""
    started = Resident(natives.own().recipe, own, form)
    started.settle()
    yield started
    started.end()


def at(experience: float) -> dict[str, Any]:
    return {"education": np.array([[12.0]]), "experience": np.array([[experience]])}


def test_it_answers_as_the_pipeline_itself_and_goes_on_after_an_error(resident: Resident) -> None:
    due = natives.own().predict([{"education": 12.0, "experience": 4.0}])
    assert resident.predict(at(4.0), 10).values.tolist() == pytest.approx(due, rel=1e-12)
    with pytest.raises(PredictionError):
        resident.predict(at(natives.KNOWS_NOT), 10)
    with pytest.raises(PredictionError, match="more memory than it may have"):
        resident.predict(at(natives.HOARDS), 10)
    assert resident.predict(at(4.0), 10).values.tolist() == pytest.approx(due, rel=1e-12)


def test_a_row_that_ends_the_process_is_a_failure_and_nothing_else(resident: Resident) -> None:
    with pytest.raises(Failed, match="ended as it was asked"):
        resident.predict(at(natives.DIES), 10)
    assert not resident.alive


def test_a_call_has_an_end(resident: Resident) -> None:
    started = time.monotonic()
    with pytest.raises(Failed, match="took too long"):
        resident.predict(at(natives.SLEEPS), 0.5)
    assert time.monotonic() - started < 5
    assert not resident.alive


def test_a_model_that_works_on_after_its_answer_gets_no_processor_until_it_is_asked(
    resident: Resident,
) -> None:
    resident.predict(at(natives.WORKS_ON), 10)
    family = [psutil.Process(resident.pid)]
    family += family[0].children(recursive=True)
    wait_for(lambda: all(p.status() == psutil.STATUS_STOPPED for p in family), 10, "stopped")
    before = [p.cpu_times()[:2] for p in family]
    time.sleep(0.5)
    assert [p.cpu_times()[:2] for p in family] == before
    assert resident.predict(at(4.0), 10).values.shape == (1,)


def test_a_process_that_is_killed_while_it_is_stopped_is_seen_to_be_gone(
    resident: Resident,
) -> None:
    resident.predict(at(4.0), 10)
    first = psutil.Process(resident.pid)
    innermost = [first, *first.children(recursive=True)][-1]
    innermost.kill()
    wait_for(lambda: not resident.alive, 10, "gone")
    resident.end()
    assert not first.is_running()


def test_an_interrupted_call_leaves_no_answer_for_the_next(
    resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            resident.predict(at(natives.SLEEPS), 10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not resident.alive


def test_a_file_that_brings_code_needs_the_recipe_s_leave(form: Form, own: Path) -> None:
    allowed = natives.own().recipe
    resident = Resident(Recipe(allowed.format, allowed.signature), own, form)
    with pytest.raises(Refused, match="own_code"):
        resident.settle()
    assert not resident.alive


def test_without_a_wall_no_file_that_can_bring_code_is_served() -> None:
    with pytest.raises(NoSandbox):
        native.check("joblib", FORMS["process"])
    native.check("onnx", FORMS["process"])


def test_what_no_graph_can_say_is_inspected_and_runs_natively(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(natives.odd().file)
    told: list[tuple[str, str]] = []
    found = inspect(path, "joblib", on_stage=lambda name, status, *_: told.append((name, status)))
    assert (found.runtime, found.onnx) == ("native", b"")
    assert told[-1] == ("compared", "done")
    assert found.why_native is not None
    assert found.report["why_native"]["code"] == "not_convertible"
    assert "canberra" in found.report["why_native"]["detail"]
    assert found.parity["rows"] >= 2_000
    assert found.parity["mismatches"] == 0
    assert found.latency["p50_ms"] == found.latency["native_p50_ms"] > 0
    assert len(found.golden["predictions"]) == 20
    assert "own_code" not in found.report


def test_a_graph_that_only_the_judge_finds_wrong_gives_way_to_the_native_model(
    inside: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("models_hub.sandbox.launch.JUDGING", "picky")
    people = zoo.people()
    model = zoo.usual(Ridge()).fit(people.drop(columns="wage"), people["wage"])
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    found = inspect(path, "joblib")
    assert (found.runtime, found.onnx) == ("native", b"")
    assert found.recipe is not None
    assert found.report["why_native"] == {
        "code": "parity_failed",
        "detail": "One of 2000 rows is off.",
        "parity": {"rows": 2_000, "mismatches": 1},
    }
    assert found.parity["rows"] >= 2_000
    assert found.parity["mismatches"] == 0
    assert [stage.name for stage in found.stages] == list(claims.STAGES)


def test_catboost_answers_inside_the_walls(form: Form, tmp_path: Path) -> None:
    """With categories of its own it runs natively, and there it may have no threads."""
    people = zoo.people().fillna({"city": "?"})
    options = {"verbose": 0, "allow_writing_files": False, "iterations": 5}
    model = catboost.CatBoostClassifier(cat_features=["city"], **options)
    path = tmp_path / "model.joblib"
    joblib.dump(model.fit(people[["education", "city"]], people["level"]), path)
    found = inspect(path, "joblib", form=form)
    assert found.runtime == "native"
    assert found.parity["rows"] >= 2_000
    assert found.parity["mismatches"] == 0


def test_a_file_with_code_of_its_own_runs_natively_where_it_may_and_is_marked(own: Path) -> None:
    found = inspect(own, "joblib", own_code=True)
    assert found.report["own_code"] is True
    assert found.runtime == "native"
    assert found.recipe is not None
    assert found.recipe.own_code
    with pytest.raises(Refused, match="own_code"):
        inspect(own, "joblib")


def test_where_nothing_keeps_code_in_it_is_not_run_for_whoever_made_it(own: Path) -> None:
    with pytest.raises(Refused, match="own_code"):
        inspect(own, "joblib", form=FORMS["process"], trusted=True, own_code=True)


def test_a_model_that_answers_at_random_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(natives.random_file())
    with pytest.raises(Refused) as refusal:
        inspect(path, "joblib", own_code=True)
    assert refusal.value.code == "not_deterministic"
    assert refusal.value.figures["parity"]
