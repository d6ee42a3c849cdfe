"""From an inspected upload to a sealed Bundle, and the report that says how it went."""

import functools
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from berth import bundle
from berth.bundle import Bundle
from berth.signature import Signature
from models_hub import storage
from models_hub.models import Version
from portal.tenancy import current

_RESEALED = ("golden", "runtime", "native")
STAGES = ("received", "inspected", "signature", "converted", "compared", "sealed", "certified")


@functools.cache
def signing_key() -> Ed25519PrivateKey:
    """The installation's key: what it signed, it vetted."""
    return Ed25519PrivateKey.from_private_bytes(settings.ENV.signing_key)


def stage(name: str, detail: str, *, status: str = "done", seconds: float = 0.0) -> dict[str, Any]:
    """One line of a report's ``stages``; ``status`` is running, done or failed."""
    return {"name": name, "status": status, "detail": detail, "seconds": round(seconds, 3)}


def architectures(onnx_bytes: int, why_native: str = "") -> dict[str, Any]:
    """Where a pipeline can run on this installation today, and why not elsewhere. `why_native`
    is why it has no graph, if it has none."""
    later = "Not available on this installation yet."
    if why_native:
        later = f"It runs natively, inside this portal's sandbox alone. {why_native}"
    return {
        "embedded": {"available": True, "reason": ""},
        "dedicated": {"available": False, "reason": later},
        "published": {"available": False, "reason": later},
        "offline": {"available": True, "reason": ""},
        "browser": {"available": False, "reason": later, "bytes": onnx_bytes},
    }


def seal(version: Version, onnx: bytes, signature: Signature, extras: dict[str, Any]) -> Bundle:
    """Seal and store; fills the version's signature and bundle fields (the caller saves).

    ``extras`` go into the manifest beside what names the version (golden rows, parity, …).
    """
    manifest = {
        **extras,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "organisation": str(version.organisation_id),
        "model": version.model.slug,
        "version": version.number,
        "format": version.format,
        "upload_sha256": version.sha256,
    }
    sealed = bundle.seal(onnx, signature, manifest, signing_key())
    storage.put_bytes(current(), sealed.data)
    version.signature = signature.to_json()
    version.bundle_sha256 = sealed.sha256
    version.bundle_size = len(sealed.data)
    return sealed


def reseal(version: Version, source: Version, signature: Signature) -> Bundle:
    """Seal ``source``'s pipeline again under a corrected signature, as ``version``."""
    before = load(current(), source.bundle_sha256)
    kept = {name: before.manifest[name] for name in _RESEALED if name in before.manifest}
    return seal(version, before.onnx, signature, kept)


def load(organisation_id: UUID, sha256: str) -> Bundle:
    """A Bundle out of the storage, its digest and signature checked.

    Raises Unavailable when the storage lacks it, BundleError when it is not what was sealed.
    """
    return bundle.read(storage.read_stored(organisation_id, sha256), signing_key().public_key())
