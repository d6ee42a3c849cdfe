"""Live calls of models that have no graph, through the API."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.test import Client

from berth.bundle import BundleError
from berth.predictor import Predictor
from models_hub import native, sealing, storage
from models_hub.sandbox.forms import FORMS
from models_hub.sandbox.native import Resident
from models_hub.sandbox.pool import Pool
from models_hub.sandbox.probe import Proof
from portal import tenancy
from portal.access import system
from portal.actions import allow_own_code
from portal.models import AuditEntry, Organisation
from predictions.engine import ENGINE
from tests import natives
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    own = Pool(4, shortest_stay=0.0, patience=30.0)
    monkeypatch.setattr(native, "POOL", own)
    yield own
    own.end()


@pytest.fixture
def code(settings: LazySettings, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets both switches of code that uploads bring."""

    def set(operator: bool, organisation: bool) -> None:
        env = type("Env", (), {"own_code": operator, "native_processes": 4, "native_memory": 1536})
        monkeypatch.setattr(native, "settings", type("Settings", (), {"ENV": env}))
        with tenancy.scope(cast.acme.pk):
            allow_own_code(system(cast.acme.pk), organisation)
        ENGINE.forget()

    return set


def ask(client: Client, slug: str, instances: list[dict[str, Any]]) -> Any:
    body = {"instances": instances}
    url = f"/api/v1/models/{slug}/predict"
    return client.post(url, body, content_type="application/json")


def one(experience: float = 4.0) -> list[dict[str, Any]]:
    return [{"education": 12.0, "experience": experience}]


def resident_of(pool: Pool, organisation: Organisation) -> Resident:
    (found,) = (r for key, r in pool.residents().items() if key[0] == organisation.pk)
    return found


def test_a_native_version_answers_as_the_pipeline_itself(cast: Cast, pool: Pool) -> None:
    version = natives.publish(cast.acme, "wages", natives.odd())
    rows = natives.odd().instances(5)
    answer = ask(cast.api(), "wages", rows)
    assert answer.status_code == 200, answer.content
    assert answer.json()["predictions"] == pytest.approx(natives.odd().predict(rows), rel=1e-12)
    bundle = sealing.load(cast.acme.pk, version.bundle_sha256)
    assert bundle.manifest["runtime"] == "native"
    assert bundle.manifest["upload_sha256"] == version.sha256
    with pytest.raises(BundleError, match="natively"):
        Predictor(bundle)


def test_a_native_classifier_gives_labels_and_probabilities(cast: Cast, pool: Pool) -> None:
    model = natives.odd_levels()
    natives.publish(cast.acme, "levels", model)
    rows = model.instances(4)
    answer = ask(cast.api(), "levels", rows).json()
    assert answer["predictions"] == model.predict(rows)
    assert answer["labels"] == list(model.signature.output.labels or ())
    assert [sum(shares) for shares in answer["probabilities"]] == pytest.approx([1.0] * 4)


def test_no_process_ever_answers_two_organisations(cast: Cast, pool: Pool) -> None:
    natives.publish(cast.acme, "wages", natives.odd())
    natives.publish(cast.other, "wages", natives.odd())  # the very same file
    for organisation in (cast.acme, cast.other):
        api = cast.api(organisation=organisation)
        assert ask(api, "wages", natives.odd().instances(1)).status_code == 200
    assert len({resident.pid for resident in pool.residents().values()}) == 2
    assert {key[0] for key in pool.residents()} == {cast.acme.pk, cast.other.pk}


def test_a_process_that_is_killed_under_load_gives_no_wrong_answer(cast: Cast, pool: Pool) -> None:
    natives.publish(cast.acme, "wages", natives.odd())
    api, rows = cast.api(), natives.odd().instances(20)
    due = natives.odd().predict(rows)
    killed: list[int] = []

    def kill() -> None:
        time.sleep(0.3)
        killed.append(resident_of(pool, cast.acme).pid)
        os.kill(killed[-1], signal.SIGKILL)

    assert ask(api, "wages", rows[:1]).status_code == 200
    killer = threading.Thread(target=kill)
    killer.start()
    for call in range(100):
        answer = ask(api, "wages", [rows[call % 20]])
        if answer.status_code == 200:
            assert answer.json()["predictions"] == pytest.approx([due[call % 20]], rel=1e-12)
        else:  # the one that was asked as it died
            assert (answer.status_code, answer["Retry-After"]) == (503, "1")
            assert answer.json()["type"] == "/api/problems/native_failed"
    killer.join()
    assert answer.status_code == 200
    assert resident_of(pool, cast.acme).pid not in killed


def test_a_row_that_ends_the_process_is_told_so_and_the_next_call_starts_it_anew(
    cast: Cast, pool: Pool, code: Any
) -> None:
    natives.publish(cast.acme, "wages", natives.own())
    code(True, True)
    api = cast.api()
    assert ask(api, "wages", one()).status_code == 200
    before = resident_of(pool, cast.acme).pid
    died = ask(api, "wages", one(natives.DIES))
    assert (died.status_code, died.json()["type"]) == (503, "/api/problems/native_failed")
    assert ask(api, "wages", one()).status_code == 200
    assert resident_of(pool, cast.acme).pid != before


def test_a_row_that_the_model_can_t_take_is_named_or_explained(
    cast: Cast, pool: Pool, code: Any
) -> None:
    natives.publish(cast.acme, "wages", natives.own())
    code(True, True)
    answer = ask(cast.api(), "wages", one(natives.KNOWS_NOT))
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/problems/no_prediction")


@pytest.mark.parametrize("operator", [False, True])
@pytest.mark.parametrize("organisation", [False, True])
def test_code_of_its_own_runs_where_operator_and_organisation_both_say_so(
    cast: Cast, pool: Pool, code: Any, operator: bool, organisation: bool
) -> None:
    natives.publish(cast.acme, "wages", natives.own())
    code(operator, organisation)
    answer = ask(cast.api(), "wages", one())
    if operator and organisation:
        assert answer.status_code == 200, answer.content
        assert len(pool.residents()) == 1
    else:
        assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/own_code_off")
        assert pool.residents() == {}


def test_what_is_switched_off_later_stops_answering(cast: Cast, pool: Pool, code: Any) -> None:
    natives.publish(cast.acme, "wages", natives.own())
    code(True, True)
    assert ask(cast.api(), "wages", one()).status_code == 200
    code(True, False)
    assert ask(cast.api(), "wages", one()).status_code == 409
    with tenancy.scope(cast.acme.pk):
        actions = AuditEntry.objects.filter(action__startswith="organisation.own_code")
        assert {entry.action for entry in actions} == {
            "organisation.own_code_allowed",
            "organisation.own_code_forbidden",
        }


def test_without_a_sandbox_a_native_version_says_so_and_others_go_on(
    cast: Cast, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    natives.publish(cast.acme, "wages", natives.odd())
    proof = Proof(FORMS["process"], "bubblewrap is not installed.")
    monkeypatch.setattr(native._CHOICE, "proof", lambda: (proof, False))
    answer = ask(cast.api(), "wages", natives.odd().instances(1))
    assert answer.status_code == 503
    assert answer.json()["type"] == "/api/problems/sandbox_unavailable"
    assert pool.residents() == {}


def test_a_stored_file_that_has_changed_is_not_run(cast: Cast, pool: Pool) -> None:
    version = natives.publish(cast.acme, "wages", natives.odd())
    stored = Path(default_storage.path(storage._name(cast.acme.pk, version.sha256)))
    stored.write_bytes(b"another")
    answer = ask(cast.api(), "wages", natives.odd().instances(1))
    assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems/corrupt")


def test_the_portal_imports_no_library_that_opens_models() -> None:
    code = (
        "import os, sys, django; django.setup()\n"
        "from django.urls import get_resolver; assert get_resolver().url_patterns\n"
        "heavy = {'sklearn', 'skl2onnx', 'skops', 'joblib', 'onnx', 'pandas', 'cloudpickle'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environ, capture_output=True, text=True
    )
    assert told.stdout.strip() == "[]", told.stderr
