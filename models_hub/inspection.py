"""Inspecting an upload: claimed from the database, opened in the sandbox, sealed or refused.

A claim is a lease: a worker that dies loses it, and another takes the version up from the start.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone

from berth.bundle import Bundle
from berth.signature import Signature
from models_hub import native, sandbox, sealing, standing, storage
from models_hub.formats import Refused
from models_hub.models import Version
from models_hub.sandbox.probe import Choice, Proof
from portal.access import record, system
from portal.errors import Unavailable
from portal.tenancy import current, scope

log = structlog.get_logger()
#: From an organisation and a sealed Bundle to the version's certificate.
Certify = Callable[[UUID, Bundle], dict[str, Any]]
LEASE_SECONDS = 180
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10, 60
#: How long a file waits for a worker that has a sandbox for it.
MOST_WAITING = timedelta(hours=1)
MOST_ATTEMPTS = 3
UNFINISHED = "SELECT 1 FROM models_hub_version WHERE status = 'inspecting'"

_CLAIM = """
UPDATE models_hub_version
SET lease_until = clock_timestamp() + %s * interval '1 second', attempt = attempt + 1
WHERE id = (
    SELECT id FROM models_hub_version
    WHERE status = 'inspecting' AND organisation_id = %s
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""

_CHOICE = Choice(settings.ENV.sandbox, production=settings.ENV.production)


def check_sandbox(*, anew: bool = False) -> Proof:
    """The sandbox that this process opens uploads in. It is proven at the first call, `anew`, and
    again every hour, and what was found is told to the web processes."""
    if anew:
        _CHOICE.forget()
    proof, is_new = _CHOICE.proof()
    if is_new:
        standing.note(proof.form.name, holds=proof.holds, reason=proof.reason, walls=proof.walls)
        log.info("sandbox_checked", form=proof.form.name, reason=proof.reason)
    return proof


def claim() -> Version | None:
    """The longest waiting version of the organisation in scope, leased to the caller."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [LEASE_SECONDS, current()])
        row = cursor.fetchone()
    return Version.objects.select_related("model").get(pk=row[0]) if row else None


def inspect(version: Version, certify: Certify, *, trusted: bool = False) -> None:
    """Take a claimed version to ready or refused. Enters the organisation's scope as needed:
    no transaction is open while the sandbox works. `certify` holds the ways of deployment against
    each other, which are above this room. `trusted` says that we made the file ourselves, so that
    it can be opened where there is no sandbox."""
    progress = _Progress(version)
    try:
        if version.attempt > MOST_ATTEMPTS:
            raise _given_up()
        trial = _Trial(version, certify, progress)
        found = _in_sandbox(version, progress, trial, trusted)
        certificate = trial.passed(found)
        with scope(version.organisation_id):
            _make_ready(version, found, certificate, progress)
    except Refused as refusal:
        with scope(version.organisation_id):
            _refuse(version, refusal, progress)
    except sandbox.NoSandbox as error:  # it may be back in a while, or at another worker's
        _CHOICE.forget()
        log.error("inspection_without_sandbox", version=str(version), error=str(error))
        _wait(version, str(error), progress)
    except Unavailable as error:  # the storage is away: nobody's fault, so no attempt is counted
        log.warning("inspection_put_off", version=str(version), error=str(error))
        progress.put_off()
    except _Overtaken:
        log.warning("inspection_overtaken", version=str(version))
    except Exception:
        log.exception("inspection_failed", version=str(version))
        if version.attempt < MOST_ATTEMPTS:
            progress.give_back()
        else:
            with scope(version.organisation_id):
                _refuse(version, _given_up(), progress)


def _given_up() -> Refused:
    return Refused("inspection_crashed", "Inspecting this file failed three times.")


class _Progress:
    """The report's stages, saved as they happen so that the page can show them."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.stages = [s for s in version.report.get("stages", []) if s["name"] == "received"]

    def __call__(self, name: str, status: str, detail: str, seconds: float) -> None:
        """Save a stage, and hold the lease for the next one."""
        self.note(name, status, detail, seconds)
        self.version.report.pop("waiting", None)  # it goes on
        report = {**self.version.report, "stages": self.stages}
        with scope(self.version.organisation_id):
            if not self._held().update(report=report, lease_until=_in(LEASE_SECONDS)):
                raise _Overtaken

    def put_off(self, seconds: float = PAUSE_SECONDS) -> None:
        """Another try in so many seconds, which does not count."""
        again = {"attempt": F("attempt") - 1, "lease_until": _in(seconds)}
        with scope(self.version.organisation_id):
            self._held().update(report=self.version.report, **again)

    def give_back(self) -> None:
        """Another try soon, which counts."""
        with scope(self.version.organisation_id):
            self._held().update(lease_until=_in(PAUSE_SECONDS * 2 ** (self.version.attempt - 1)))

    def _held(self) -> QuerySet[Version]:
        return Version.objects.filter(
            pk=self.version.pk,
            status=Version.Status.INSPECTING,
            attempt=self.version.attempt,
        )

    def note(self, name: str, status: str, detail: str, seconds: float) -> None:
        line = sealing.stage(name, detail, status=status, seconds=seconds)
        self.stages = [s for s in self.stages if s["name"] != name] + [line]


def _in(seconds: float) -> CombinedExpression:
    """So many seconds from now by the database's clock."""
    return Now() + timedelta(seconds=seconds)


def _wait(version: Version, reason: str, progress: _Progress) -> None:
    """Wait for a sandbox, longer each time, and tell people so; refuse what waited too long."""
    now = timezone.now()
    before = version.report.get("waiting") or {"since": now.isoformat(), "times": 0}
    if now - datetime.fromisoformat(before["since"]) >= MOST_WAITING:
        text = (
            "For an hour no worker had a working sandbox, which such a file needs: ask whoever "
            f"runs this server to mend it, then upload the file again. {reason}"
        )
        with scope(version.organisation_id):
            _refuse(version, Refused("sandbox_unavailable", text), progress)
        return
    times = int(before["times"])
    waiting = {"since": before["since"], "times": times + 1, "reason": reason[:300]}
    version.report = {**version.report, "waiting": waiting}
    progress.put_off(min(PAUSE_SECONDS * 2.0**times, LONGEST_PAUSE_SECONDS))


def _in_sandbox(
    version: Version, progress: _Progress, trial: "_Trial", trusted: bool
) -> sandbox.Inspection:
    form = check_sandbox().form
    version.report = {**version.report, "sandbox": {"form": form.name}}
    with scope(version.organisation_id):
        own_code = native.may_bring_code()
    with ExitStack() as stack:
        path = _fetch(stack, version.organisation_id, version.sha256, version.filename)
        sample = (
            _fetch(stack, version.organisation_id, version.sample_sha256, version.sample_filename)
            if version.sample_sha256
            else None
        )
        return sandbox.inspect(
            path,
            version.format,
            sample=sample,
            target=version.target or None,
            on_stage=progress,
            meanwhile=trial,
            form=form,
            limits=sandbox.Limits(serving=settings.ENV.native_memory << 20),
            trusted=trusted,
            own_code=own_code,
        )


def _fetch(stack: ExitStack, organisation_id: Any, sha256: str, filename: str) -> Path:
    suffix = Path(filename).suffix.lower()
    return stack.enter_context(storage.local_copy(organisation_id, sha256, suffix))


def _sealed(version: Version, found: sandbox.Inspection, progress: _Progress) -> Bundle:
    started = time.monotonic()
    runs = native.manifest_of(found.recipe) if found.recipe else {"runtime": found.runtime}
    with scope(version.organisation_id):
        signature = _with_corrections(version, found.signature)
        sealed = sealing.seal(version, found.onnx, signature, {"golden": found.golden, **runs})
    progress("sealed", "done", f"sha256 {sealed.sha256}", time.monotonic() - started)
    return sealed


class _Trial:
    """Seals what was found and holds the ways of deployment against each other, while the
    browser's is still being compared in the sandbox."""

    def __init__(self, version: Version, certify: Certify, progress: _Progress) -> None:
        self._version, self._certify, self._progress = version, certify, progress
        self._certificate: dict[str, Any] = {}
        self._started = 0.0

    def __call__(self, found: sandbox.Inspection) -> None:
        sealed = _sealed(self._version, found, self._progress)
        self._progress("certified", "running", "", 0.0)
        self._started = time.monotonic()
        self._certificate = self._certify(self._version.organisation_id, sealed)

    def passed(self, found: sandbox.Inspection) -> dict[str, Any]:
        """The certificate. The browser is among its ways; where that differs its lane is closed,
        and nothing fails."""
        certificate = self._certificate
        told = found.browser
        browser = told.get("light") or {"closed": told.get("reason", "")}
        ways, rows = len(certificate["ways"]), certificate["rows"]
        status, detail = "done", f"{rows:,} rows the same in each of {ways} ways"
        if not certificate["passed"]:
            status, detail = "failed", "The ways of deployment do not answer alike."
        self._progress.note("certified", status, detail, time.monotonic() - self._started)
        return {**certificate, "ways": {**certificate["ways"], "browser": browser}}


def _make_ready(
    version: Version,
    found: sandbox.Inspection,
    certificate: dict[str, Any],
    progress: _Progress,
) -> None:
    browser = sealing.put_compact(version, found.compact, found.browser)
    why = found.why_native
    version.report = {
        "stages": progress.stages,
        **found.report,
        "certificate": certificate,
        "architectures": sealing.architectures(browser, why.detail if why else ""),
    }
    _end(version, Version.Status.READY)
    record(system(current()), "version.sealed", version, sha256=version.bundle_sha256)


def _with_corrections(version: Version, signature: Signature) -> Signature:
    """What people said of the fields before holds for the next upload too."""
    before = (
        Version.objects.filter(model=version.model, status=Version.Status.READY)
        .exclude(signature=None)
        .first()
    )
    return signature.inherit(Signature.from_json(before.signature)) if before else signature


def _refuse(version: Version, refusal: Refused, progress: _Progress) -> None:
    running = next((s["name"] for s in progress.stages if s["status"] == "running"), None)
    after = len(progress.stages)
    name = running or sealing.STAGES[min(after, len(sealing.STAGES) - 1)]
    progress.note(name, "failed", refusal.detail, 0.0)
    version.report = {**version.report, **refusal.figures, "stages": progress.stages}
    version.report.pop("waiting", None)
    version.refusal = {"code": refusal.code, "detail": refusal.detail}
    _end(version, Version.Status.REFUSED)
    record(system(current()), "version.refused", version, code=refusal.code)


def _end(version: Version, status: Version.Status) -> None:
    """Write the outcome. Raises _Overtaken when another worker has the lease by now."""
    version.status = status
    version.ended = timezone.now()
    held = Version.objects.select_for_update().filter(
        pk=version.pk, status=Version.Status.INSPECTING, attempt=version.attempt
    )
    if not held.exists():
        raise _Overtaken
    version.save()


class _Overtaken(Exception):
    """The lease ran out and another worker took the version up: its outcome counts."""
