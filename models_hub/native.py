"""Versions that run natively, as the portal's own processes ask them: live, and for jobs.

Each web process and each worker starts the processes that it needs itself, at the first question,
and that question waits for it.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from berth.bundle import Bundle
from berth.predictions import Predictions
from berth.signature import Signature
from models_hub import storage
from models_hub.formats import Refused
from models_hub.models import Version
from models_hub.sandbox import NoSandbox, native
from models_hub.sandbox.native import Recipe, Resident
from models_hub.sandbox.packing import Columns
from models_hub.sandbox.pool import BATCH, LIVE, Busy, Failed, Haste, Launch, Pool, Resting
from models_hub.sandbox.probe import Choice, Proof
from models_hub.standing import RETRY_SECONDS
from portal.errors import Conflict, Unavailable
from portal.models import Organisation
from portal.tenancy import current

POOL = Pool(settings.ENV.native_processes)
_CHOICE = Choice(settings.ENV.sandbox, production=settings.ENV.production)
_LIMITS = replace(native.LIMITS, memory=settings.ENV.native_memory << 20)
_NBYTES = 20_000  # here; the model itself is in its own process


def sandbox_proof() -> Proof:
    """The sandbox that this process has, as it proved it within the last hour."""
    return _CHOICE.proof()[0]


def may_bring_code() -> bool:
    """Whether the operator and the organisation in scope both let files bring code."""
    return settings.ENV.own_code and Organisation.objects.get(pk=current()).own_code


def require_allowed(version: Version) -> None:
    """Raise Conflict (`own_code_off`) for a version that brings code where that is not, or no
    longer, allowed."""
    if version.report.get("own_code") and not may_bring_code():
        raise _switched_off()


def _switched_off() -> Conflict:
    return Conflict(
        "This version runs its own code, which is switched off: on this installation, or in your"
        " organisation's settings.",
        code="own_code_off",
    )


def manifest_of(recipe: Recipe) -> dict[str, object]:
    """What a Bundle without a graph says of how the upload is run."""
    about = {"names": list(recipe.names), "own_code": recipe.own_code}
    return {"runtime": "native", "native": about}


@dataclass(frozen=True, slots=True)
class NativePredictor:
    """A version that runs natively, as `berth.predictor.Predictor` is one that has a graph.

    Nothing is started before the first question. Thread-safe.
    """

    organisation_id: UUID
    bundle: Bundle
    haste: Haste = LIVE

    @property
    def signature(self) -> Signature:
        return self.bundle.signature

    @property
    def nbytes(self) -> int:
        return _NBYTES

    def patient(self) -> "NativePredictor":
        """The same for a job: it has more time, and waits where a live call would not."""
        return replace(self, haste=BATCH)

    def predict(self, columns: Columns) -> Predictions:
        """Predict coerced columns, as `Predictor.predict` does.

        Raises PredictionError when the model fails or answers what is no finite number, and
        Unavailable: `native_busy`, `native_failed` (its process died, or took too long),
        `sandbox_unavailable`, `corrupt`.
        """
        key = (self.organisation_id, self.bundle.sha256)
        try:
            return POOL.predict(key, self._start, columns, self.haste)
        except NoSandbox as error:
            _CHOICE.forget()
            raise Unavailable(
                f"This model runs in a sandbox only, and there is none just now: {error}",
                code="sandbox_unavailable",
                retry_after=RETRY_SECONDS,
            ) from error
        except Failed as error:
            raise Unavailable(str(error), code="native_failed", retry_after=1) from error
        except Refused as refusal:
            detail = f"The model's process does not start: {refusal.detail}"
            raise Unavailable(detail, code="native_failed") from refusal
        except Resting as error:
            wait = max(1, round(error.retry_after))
            raise Unavailable(str(error), code="native_failed", retry_after=wait) from error
        except Busy as error:
            wait = max(1, round(error.retry_after))
            raise Unavailable(str(error), code="native_busy", retry_after=wait) from error

    def dismiss(self) -> None:
        """End the process that answers here, if there is one: its place is for others."""
        POOL.dismiss((self.organisation_id, self.bundle.sha256))

    def _start(self, launch: Launch) -> Resident:
        recipe, form = self._recipe(), sandbox_proof().form
        native.check(recipe.format, form)
        sha256 = str(self.bundle.manifest["upload_sha256"])
        with storage.local_copy(self.organisation_id, sha256) as path:
            resident = launch(lambda: Resident(recipe, path, form, _LIMITS))
            resident.settle()
        return resident

    def _recipe(self) -> Recipe:
        manifest = self.bundle.manifest
        about = manifest["native"]
        if about["own_code"] and not settings.ENV.own_code:
            raise _switched_off()
        names = tuple(about["names"])
        return Recipe(manifest["format"], self.signature, names, about["own_code"])
