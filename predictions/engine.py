"""The one way from a model's name to predictions, for every door inside the portal.

Each process keeps two caches: which version of a model is live (for ``LIVE_TTL`` seconds, so a
promotion is everywhere within that), and loaded Predictors (bounded in bytes, least recently used
out first). A version never changes, so a loaded Predictor is never stale.
"""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from berth.bundle import BundleError
from berth.loaded import Loaded
from berth.predictor import Predictor
from berth.signature import Signature
from models_hub import sealing
from models_hub.models import Architecture, Deployment, HostedModel, Version
from models_hub.native import NativePredictor, require_allowed
from models_hub.places import DeviceFile, file_of
from portal.errors import Conflict, NotFound, Unavailable
from portal.tenancy import DATABASE_AWAY, DATABASE_PATIENCE, scope

log = structlog.get_logger()
#: What answers for a version: its graph in this process, or a process of its own.
Answering = Predictor | NativePredictor


@dataclass(frozen=True, slots=True)
class Served:
    """A version as the engine serves it."""

    model: str
    number: int
    version_id: UUID
    bundle_sha256: str
    active: bool
    device: DeviceFile | None = None
    """What widgets give to the applicant's browser, where that is switched on."""


class Engine:
    """Finds versions and loads their Predictors; one per process, thread-safe."""

    def __init__(self, live_ttl: float, most_bytes: int) -> None:
        self.live_ttl = live_ttl
        self._live: dict[tuple[UUID, str, int | None], tuple[float, Served]] = {}
        self._predictors: Loaded[tuple[UUID, str], Answering] = Loaded(most_bytes)

    def find(self, organisation_id: UUID, slug: str, number: int | None = None) -> Served:
        """The live version of the model, or version ``number`` of it.

        Raises NotFound for a model or version that is not there, Conflict when nothing is live
        or the version is not ready. With the database away, what was known goes on being served.
        """
        key = (organisation_id, slug, number)
        now = time.monotonic()
        until, served = self._live.get(key, (0.0, None))
        if served is not None and now < until:
            return served
        if served is not None:  # others need not wait for an answer that may take long to fail
            self._live[key] = (now + DATABASE_PATIENCE, served)
        try:
            with scope(organisation_id):
                fresh = _look_up(slug, number)
        except DATABASE_AWAY as error:
            if served is None:
                raise Unavailable("The model can't be looked up just now.") from error
            fresh = served
        except (NotFound, Conflict):
            self._live.pop(key, None)
            raise
        if len(self._live) > 50_000:
            self._live.clear()
        self._live[key] = (time.monotonic() + self.live_ttl, fresh)
        return fresh

    def predictor(
        self, organisation_id: UUID, served: Served, *, patient: bool = False
    ) -> Answering:
        """The version's Predictor, loaded from the storage the first time. ``patient``: for a
        job, which has more time than a live call. Raises Unavailable when it can't be had."""
        key = (organisation_id, served.bundle_sha256)
        found = self._predictors.get(key, lambda: _load(organisation_id, served))
        return found.patient() if patient and isinstance(found, NativePredictor) else found

    def signature(self, organisation_id: UUID, served: Served) -> Signature:
        return self.predictor(organisation_id, served).signature

    def forget(self) -> None:
        """Drop both caches (tests)."""
        self._live.clear()
        self._predictors.clear()

    def stats(self) -> dict[str, Any]:
        return {"models": len(self._predictors), "bytes": self._predictors.nbytes}


def _look_up(slug: str, number: int | None) -> Served:
    model = HostedModel.objects.select_related("live").filter(slug=slug).first()
    if model is None:
        raise NotFound("model")
    version = model.live
    if number is not None:
        version = Version.objects.filter(model=model, number=number).first()
        if version is None:
            raise NotFound("version")
    if version is None:
        raise Conflict(
            f"No version of “{slug}” is live yet: promote one first.", code="nothing_live"
        )
    if version.status != Version.Status.READY:
        raise Conflict(f"Version {version.number} is {version.status}.", code="not_ready")
    require_allowed(version)
    embedded = Deployment.objects.get(model=model, architecture=Architecture.EMBEDDED)
    return Served(
        model.slug,
        version.number,
        version.pk,
        version.bundle_sha256,
        embedded.is_active,
        file_of(version) if embedded.in_browser else None,
    )


def _load(organisation_id: UUID, served: Served) -> Answering:
    try:
        bundle = sealing.load(organisation_id, served.bundle_sha256)
        return Predictor(bundle) if bundle.onnx else NativePredictor(organisation_id, bundle)
    except BundleError as error:
        log.error("bundle_unusable", sha256=served.bundle_sha256, code=error.code)
        detail = "The stored model is not the one that was sealed."
        raise Unavailable(detail, code="corrupt") from error


ENGINE = Engine(settings.LIVE_TTL, settings.SESSION_CACHE_BYTES)
