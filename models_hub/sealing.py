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
from models_hub import compact, storage
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


def architectures(browser: dict[str, Any], why_native: str = "") -> dict[str, Any]:
    """Where a pipeline can run on this installation today, and why not elsewhere. `browser` is
    what the judge found of the browser; `why_native` is why it has no graph, if it has none."""
    natively = f"It runs natively, inside this portal's sandbox alone. {why_native}"
    graph = {"available": not why_native, "reason": natively if why_native else ""}
    later = natively if why_native else "Not available on this installation yet."
    return {
        "embedded": {"available": True, "reason": ""},
        "dedicated": graph,
        "published": dict(graph),
        "offline": {"available": True, "reason": ""},
        "browser": browser or {"available": False, "reason": later, "bytes": 0, "lane": None},
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


def put_compact(version: Version, data: bytes, report: dict[str, Any]) -> dict[str, Any]:
    """Store the browser's file of a sealed version; the report, with the file's digest and sizes.

    ``data`` is empty where no lane is open.
    """
    if not data:
        return report
    about = {
        "model": version.model.slug,
        "version": version.number,
        "bundle": version.bundle_sha256,
    }
    file = compact.stamped(data, version.signature or {}, about)
    sizes = {"bytes": len(file), "gzip_bytes": len(compact.zipped(file))}
    return {**report, **sizes, "sha256": storage.put_bytes(current(), file)}


def reseal(version: Version, source: Version, signature: Signature) -> Bundle:
    """Seal ``source``'s pipeline again under a corrected signature, as ``version``."""
    before = load(current(), source.bundle_sha256)
    kept = {name: before.manifest[name] for name in _RESEALED if name in before.manifest}
    sealed = seal(version, before.onnx, signature, kept)
    told = source.report.get("architectures", {})
    browser = told.get("browser", {})
    if digest := browser.get("sha256"):
        again = put_compact(version, storage.read_stored(current(), digest), browser)
        version.report = {**source.report, "architectures": {**told, "browser": again}}
    return sealed


def load(organisation_id: UUID, sha256: str) -> Bundle:
    """A Bundle out of the storage, its digest and signature checked.

    Raises Unavailable when the storage lacks it, BundleError when it is not what was sealed.
    """
    return bundle.read(storage.read_stored(organisation_id, sha256), signing_key().public_key())
