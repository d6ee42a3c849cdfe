"""Seed Acme through the ordinary verbs.

Each step looks first whether it is done, so an interrupted seeding goes on where it stopped, and
a finished one changes nothing.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from django.utils.crypto import salted_hmac

from demo.data import applicants
from demo.finding import OWNER, OWNER_NAME, SLUG, find
from demo.wording import CHANGES, MODEL, UNIT, WIDGET
from models_hub import inspection
from models_hub.actions import correct_signature, create_model, promote, upload_version
from models_hub.models import HostedModel, Version
from portal.access import ROLE_PERMISSIONS, Caller
from portal.actions import create_organisation, rename_person
from portal.errors import BerthError
from portal.models import Membership
from portal.tenancy import scope
from portal.uploads import Received
from predictions.actions import create_widget, update_widget
from predictions.models import Widget
from workers import batch
from workers.actions import submit_job
from workers.certifying import certify
from workers.models import Job

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 180.0  # seconds for work that another process may have taken up
APPLICANTS = 1_200


class SeedingFailed(RuntimeError):
    """The demo can't be made. Its text is one sentence for the operator."""


def seed() -> str | None:
    """Make the demo unless it is there. Returns its sign-in, as one line to print; None where
    the slug belongs to an organisation that is not the demo.

    Trains the model in a process of its own; inspects and scores in this one, so that no worker
    need run, and waits for one that was faster. Raises SeedingFailed.
    """
    try:
        membership = find() or _found_acme()
        if membership is None:
            return None
        caller = _alice(membership)
        _model(caller)
        _widget(caller)
        _job(caller)
    except BerthError as error:
        raise SeedingFailed(f"The demo can't be seeded: {error}") from error
    if not membership.user.check_password(password()):
        return f"{OWNER} with the password that you gave her"
    return f"{OWNER} with the password {password()}"


def password() -> str:
    """Alice's first password: this installation's own, the same at each start."""
    digest = salted_hmac("berth.demo.password", OWNER, algorithm="sha256").digest()
    text = base64.b32encode(digest).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def _found_acme() -> Membership | None:
    try:
        organisation = create_organisation(SLUG, "Acme", OWNER, password())
    except BerthError as error:
        if error.kind == "slug_taken":
            return None
        raise
    membership = find()
    assert membership is not None
    with scope(organisation.pk):
        rename_person(_alice(membership), OWNER_NAME)
    return membership


def _alice(membership: Membership) -> Caller:
    return Caller(
        organisation_id=membership.organisation_id,
        actor=OWNER,
        permissions=ROLE_PERMISSIONS[membership.role],
        organisation=membership.organisation,
        user=membership.user,
        role=membership.role,
    )


def _model(caller: Caller) -> None:
    """A model with a promoted version whose fields have labels and units."""
    with scope(caller.organisation_id):
        model = HostedModel.objects.filter(slug=MODEL).first() or create_model(
            caller, MODEL, "Salary", "What people earn at Acme, gross euros per year."
        )
        if model.live_id:
            return
    version = _newest(caller, Version.Status.READY) or _inspected(caller)
    with scope(caller.organisation_id):
        if version.derived_from is None:
            version = correct_signature(caller, MODEL, version.number, CHANGES, unit=UNIT)
        promote(caller, MODEL, version.number)


def _newest(caller: Caller, status: Version.Status) -> Version | None:
    with scope(caller.organisation_id):
        return Version.objects.filter(model__slug=MODEL, status=status).first()


def _inspected(caller: Caller) -> Version:
    """The uploaded version, ready; inspected here unless a worker has it. Raises SeedingFailed."""
    version = _newest(caller, Version.Status.INSPECTING) or _upload(caller)
    for _ in _until(time.monotonic() + PATIENCE):
        with scope(caller.organisation_id):
            claimed = inspection.claim()
        if claimed:
            inspection.inspect(claimed, certify, trusted=True)
        with scope(caller.organisation_id):
            version = Version.objects.get(pk=version.pk)
        if version.status == Version.Status.READY:
            return version
        if version.refusal:
            raise SeedingFailed(f"The demo's model was refused: {version.refusal['detail']}")
    raise SeedingFailed("The demo's model was not inspected in time: start again.")


def _upload(caller: Caller) -> Version:
    with _trained() as folder, scope(caller.organisation_id):
        metrics = json.loads((folder / "metrics.json").read_text())
        return upload_version(
            caller,
            MODEL,
            _received(folder / "salary.skops"),
            _received(folder / "sample.csv"),
            target="salary",
            notes="Trained on 3,200 people of Acme, tested on 800 others.",
            metrics=metrics,
            trusted=True,
        )


@contextmanager
def _trained() -> Iterator[Path]:
    """A folder with what ``demo.training`` leaves. One thread: the data are small, and many
    threads on few cores only wait for each other."""
    with tempfile.TemporaryDirectory() as folder:
        training = subprocess.run(
            [sys.executable, "-m", "demo.training", folder],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        if training.returncode:
            last = (training.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise SeedingFailed(f"The demo's model can't be trained: {last}")
        yield Path(folder)


def _received(path: Path) -> Received:
    data = path.read_bytes()
    return Received(path, path.name, len(data), hashlib.sha256(data).hexdigest())


def _widget(caller: Caller) -> None:
    with scope(caller.organisation_id):
        if not Widget.objects.exists():
            widget = create_widget(caller, "Careers page", MODEL)
            update_widget(caller, widget.key_id, WIDGET)


def _job(caller: Caller) -> None:
    """A file of applicants, scored."""
    with scope(caller.organisation_id):
        job = Job.objects.first()
    job_id = job.pk if job else _submitted(caller)
    for _ in _until(time.monotonic() + PATIENCE):
        with scope(caller.organisation_id):
            if Job.objects.get(pk=job_id).finished_at:
                return
        batch.drain()
    raise SeedingFailed("The demo's job was not scored in time: start again.")


def _submitted(caller: Caller) -> UUID:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "applicants.csv"
        path.write_text(applicants(APPLICANTS))
        with scope(caller.organisation_id):
            return submit_job(caller, MODEL, _received(path), key="applicant").pk


def _until(deadline: float) -> Iterator[None]:
    """Go round, the first time at once, until the deadline (of ``time.monotonic``)."""
    yield
    while time.monotonic() < deadline:
        time.sleep(0.3)
        yield
