"""Lines of a feed as a portal writes them."""

from typing import Any

from berth.bundle import Bundle

_LIVE = ("version", "sha256", "size", "address", "runtime", "signature")


def line(bundle: Bundle, offset: int, version: int = 1, model: str = "pay") -> dict[str, Any]:
    """A promotion, not yet sealed."""
    return {
        "schema": 1,
        "organisation": "acme",
        "organisation_id": "0193b0f0-0000-7000-8000-000000000001",
        "offset": offset,
        "type": "promoted",
        "model": model,
        "version": version,
        "sha256": bundle.sha256,
        "size": len(bundle.data),
        "address": f"/api/v1/bundles/{bundle.sha256}",
        "runtime": "onnx",
        "signature": bundle.signature.to_json(),
        "architectures": ["embedded", "published"],
        "at": "2026-11-24T18:00:00.000Z",
    }


def withdrawn(offset: int, model: str = "pay") -> dict[str, Any]:
    """A withdrawal, not yet sealed."""
    return {
        "schema": 1,
        "organisation": "acme",
        "organisation_id": "0193b0f0-0000-7000-8000-000000000001",
        "offset": offset,
        "type": "withdrawn",
        "model": model,
        **dict.fromkeys(_LIVE),
        "architectures": ["embedded", "published"],
        "at": "2026-11-24T18:00:00.000Z",
    }
