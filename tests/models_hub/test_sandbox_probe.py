"""A form is used where a canary proved its walls, and what workers found is what counts."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from models_hub import inspection, sandbox, standing
from models_hub.models import SandboxCheck, Version
from models_hub.sandbox import probe
from models_hub.sandbox.forms import FORMS, Bubblewrap, Form, Landlock, Process, Start
from models_hub.sandbox.process import NoSandbox
from portal import tenancy
from tests import pipelines
from tests.cast import Cast
from workers import tasks

VERSIONS = "/api/v1/models/wages/versions"
SKOPS = b"PK\x03\x04" + b"x" * 100
ONNX = b"\x08\x08" + b"x" * 100


def without(form: type[Form], *walls: str) -> Form:
    """A form that leaves out a part of what `first.py` is told to raise."""

    class Gappy(form):  # type: ignore[misc, valid-type]  # a class made of an argument
        def start(
            self, stack: ExitStack, python: Sequence[str], files: Mapping[str, Path]
        ) -> Start:
            start: Start = super().start(stack, python, files)
            for wall in walls:
                start.config.pop(wall, None)
            return start

    return Gappy()


def test_each_form_that_keeps_code_in_is_proven(form: Form) -> None:
    proof = probe.probe(form)
    assert proof.holds, proof.reason
    assert set(proof.walls.values()) == {""}
    assert len(proof.walls) == 11


@pytest.mark.parametrize(
    ("gappy", "gaps"),
    [
        (without(Landlock, "landlock", "filter"), {"network", "processes", "writing", "reading"}),
        (without(Landlock, "filter"), {"network", "processes", "kernel", "limits"}),
        (without(Landlock, "landlock"), {"reading", "proc"}),
        (without(Bubblewrap, "filter"), {"processes", "programs", "limits"}),
    ],
)
def test_a_wall_that_is_missing_is_found(
    gappy: Form, gaps: set[str], require: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(gappy, Bubblewrap):
        require("bwrap")
    if missing := gappy.unavailable():
        pytest.skip(missing)
    proof = probe.probe(gappy)
    assert not proof.holds
    assert {name for name, gap in proof.walls.items() if gap} >= gaps
    assert all(gap in proof.reason for gap in gaps)


def test_a_form_that_does_not_start_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    program.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    proof = probe.probe(Bubblewrap())
    assert not proof.holds
    assert "No permissions to create new namespace" in proof.reason
    assert "docs/sandbox.md" in proof.reason
    monkeypatch.setenv("PATH", "/nowhere")
    assert "apt install bubblewrap" in probe.probe(Bubblewrap()).reason


def test_an_old_kernel_has_no_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models_hub.sandbox.kernel.landlock_version", lambda: 4)
    proof = probe.probe(Landlock())
    assert not proof.holds
    assert "version 4" in proof.reason
    assert "6 is needed" in proof.reason


@pytest.mark.parametrize(
    ("setting", "production", "forms"),
    [
        ("auto", False, ["bubblewrap", "landlock"]),
        ("auto", True, ["bubblewrap"]),
        ("landlock", True, ["landlock"]),
        ("bubblewrap", False, ["bubblewrap"]),
        ("off", False, []),
    ],
)
def test_production_takes_landlock_only_where_the_operator_says_so(
    setting: str, production: bool, forms: list[str]
) -> None:
    candidates = probe.candidates(setting, production=production)
    assert [form.name for form in candidates] == forms


def test_the_first_form_that_holds_is_taken_and_none_is_said_to_be_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def found(form: Form) -> probe.Proof:
        return probe.Proof(form, "" if form.name == "landlock" else f"{form.name} is broken.")

    monkeypatch.setattr(probe, "probe", found)
    assert probe.choose("auto", production=False).form.name == "landlock"
    nothing = probe.choose("auto", production=True)
    assert (nothing.form.name, nothing.holds) == ("process", False)
    assert nothing.reason == "bubblewrap is broken."
    assert "BERTH_SANDBOX=off" in probe.choose("off", production=False).reason


def test_a_proof_is_made_once_and_again_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    now, made = [1000.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    proof = probe.Proof(FORMS["landlock"], "")

    def choose(setting: str, *, production: bool) -> probe.Proof:
        made.append(setting)
        return proof

    monkeypatch.setattr(probe, "choose", choose)
    choice = probe.Choice("auto", production=False)
    assert [choice.proof()[1] for _ in range(3)] == [True, False, False]
    now[0] += 3601
    assert choice.proof() == (proof, True)
    choice.forget()
    assert choice.proof() == (proof, True)
    assert len(made) == 3


@pytest.fixture
def api(cast: Cast) -> Client:
    client = cast.api()
    body = {"slug": "wages", "name": "Wages"}
    assert client.post("/api/v1/models", body, content_type="application/json").status_code == 201
    return client


def upload(api: Client, name: str, content: bytes) -> Any:
    return api.post(VERSIONS, {"artifact": SimpleUploadedFile(name, content)})


@pytest.mark.django_db(databases=["default", "owner"])
class TestWhatWorkersFound:
    @pytest.mark.parametrize("name", ["model.skops", "model.joblib", "model.pkl"])
    def test_without_a_sandbox_what_brings_code_is_answered_503_and_onnx_goes_on(
        self, name: str, api: Client
    ) -> None:
        content = SKOPS if name.endswith("skops") else b"\x80\x04" + b"x" * 100
        standing.note("process", holds=False, reason="bubblewrap is not installed.", walls={})
        answer = upload(api, name, content)
        assert (answer.status_code, answer.json()["type"]) == (
            503,
            "/api/problems/sandbox_unavailable",
        )
        assert "bubblewrap is not installed." in answer.json()["detail"]
        assert answer["Retry-After"] == "60"
        assert upload(api, "model.onnx", ONNX).status_code == 202

    def test_a_word_that_is_stale_or_missing_is_none(self, api: Client) -> None:
        assert upload(api, "model.skops", SKOPS).status_code == 202
        check = SandboxCheck.objects.get()
        check.at -= timedelta(hours=2, minutes=1)
        check.save()
        assert upload(api, "model.skops", SKOPS).status_code == 503
        SandboxCheck.objects.all().delete()
        answer = upload(api, "model.skops", SKOPS)
        assert answer.status_code == 503
        assert "No worker has proven" in answer.json()["detail"]

    def test_one_machine_with_a_sandbox_is_enough(
        self, api: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: "another")
        standing.note("process", holds=False, reason="None here.", walls={})
        assert standing.standing().form == "bubblewrap"
        assert upload(api, "model.skops", SKOPS).status_code == 202

    def test_pages_readiness_and_settings_name_it(self, api: Client, cast: Cast) -> None:
        alice = cast.browser(cast.alice)
        assert "<code>bubblewrap</code>" in alice.get("/settings").content.decode()
        assert standing.told()["form"] == "bubblewrap"
        standing.note("process", holds=False, reason="No room for one.", walls={})
        assert "No room for one." in alice.get("/settings").content.decode()
        assert standing.told()["form"] == "none"
        page = alice.post(
            "/models/wages/upload", {"artifact": SimpleUploadedFile("model.skops", SKOPS)}
        )
        assert page.status_code == 503
        assert "No room for one." in page.content.decode()

    def test_the_workers_task_tries_the_walls_and_tells(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = probe.Proof(FORMS["landlock"], "", {"network": ""})
        monkeypatch.setattr(probe, "choose", lambda *a, **b: found)
        tasks.probe()
        check = SandboxCheck.objects.get()
        assert (check.form, check.holds, check.walls) == ("landlock", True, {"network": ""})

    def test_a_sandbox_that_fails_puts_the_version_off_without_blame(
        self, api: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*args: Any, **more: Any) -> None:
            raise NoSandbox("The sandbox 'bubblewrap' does not start.")

        upload(api, "model.skops", SKOPS)
        with monkeypatch.context() as patched:
            patched.setattr(sandbox, "inspect", broken)
            for _ in range(5):
                tasks.inspect()
                with tenancy.scope(cast.acme.pk):
                    Version.objects.update(lease_until=None)
        told = api.get(f"{VERSIONS}/1").json()
        assert told["status"] == "inspecting"
        tasks.inspect()  # now it is opened, and found to be no archive
        told = api.get(f"{VERSIONS}/1").json()
        assert told["refusal"]["code"] == "archive_corrupt"
        form = told["report"]["sandbox"]["form"]
        assert form in ("bubblewrap", "landlock")
        page = cast.browser(cast.alice).get("/models/wages/versions/1").content.decode()
        assert f"the sandbox <code>{form}</code>" in page

    def test_without_a_sandbox_a_worker_leaves_code_alone_and_opens_onnx(
        self, api: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nothing = probe.Proof(Process(), "There is none.")
        monkeypatch.setattr(probe, "choose", lambda *a, **b: nothing)
        upload(api, "model.skops", SKOPS)
        upload(api, "model.onnx", pipelines.wages().onnx)
        inspection.check_sandbox(anew=True)
        try:
            tasks.inspect()
        finally:
            inspection._CHOICE.forget()
        first, second = (api.get(f"{VERSIONS}/{number}").json() for number in (1, 2))
        assert first["status"] == "inspecting"
        assert second["status"] == "ready", second["refusal"]
        assert second["report"]["sandbox"] == {"form": "process"}
