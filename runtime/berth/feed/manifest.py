"""One line of the model feed: a model's whole standing, signed by the installation.

The same document travels over HTTP and over Kafka:

    {"schema": 1, "organisation": "acme", "organisation_id": "…", "offset": 12,
     "type": "promoted", "model": "pay", "version": 3, "sha256": "…", "size": 48123,
     "address": "/api/v1/bundles/…", "runtime": "onnx", "signature": {…},
     "architectures": ["embedded", "published"], "at": "2026-11-24T18:00:00.000Z",
     "seal": "…"}

`offset` orders an organisation's lines; of two lines about a model the one with the higher
offset holds. `version`, `sha256`, `size`, `address`, `runtime` and `signature` are null where
nothing is live. `seal` is Ed25519 (RFC 8032) in base64 over DOMAIN and the canonical document
without it. A reader ignores keys that it does not know; the seal covers them too.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from berth.bundle import LARGEST_BUNDLE
from berth.feed import seals
from berth.problems import InvalidSignature
from berth.signature import Signature

SCHEMA = 1
DOMAIN = b"berth model event\n"  # so that no other document's seal can be passed off as this one's
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("organisation", "organisation_id", "type", "model", "at")
_LIVE = ("version", "sha256", "size", "address", "runtime", "signature")
_EXACT = 1 << 53  # below this every whole number is also a double


class ManifestError(ValueError):
    """A line that is no manifest of the installation's; `code` says why.

    `forged`, `bad_manifest` or `unknown_schema`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Manifest:
    """A checked line; `document` is what was read, seal and all, to be kept or passed on."""

    organisation: str
    organisation_id: str
    offset: int
    type: str
    model: str
    version: int | None
    sha256: str | None
    size: int | None
    address: str | None
    runtime: str | None
    architectures: frozenset[str]
    at: str
    document: Mapping[str, Any]

    @classmethod
    def read(cls, document: object, public_key: Ed25519PublicKey | None) -> "Manifest":
        """A manifest from its JSON, parsed or as bytes.

        With a public key the seal is checked; pass None only for a document from a place that
        is trusted as much as the portal. Raises ManifestError.
        """
        checked = parsed(document)
        if public_key is not None and not seals.holds(checked, DOMAIN, public_key):
            detail = "The manifest was not signed by the installation's key."
            raise ManifestError("forged", detail)
        _check(checked)
        return cls(
            **{name: checked[name] for name in (*_TEXTS, "offset")},
            **{name: checked[name] for name in _LIVE[:-1]},
            architectures=frozenset(checked["architectures"]),
            document=checked,
        )

    @cached_property
    def signature(self) -> Signature | None:
        """What the live version takes and gives."""
        found = self.document["signature"]
        return None if found is None else Signature.from_json(found)

    @property
    def key(self) -> tuple[str, str]:
        """Which model this is about: its organisation's slug and its own."""
        return (self.organisation, self.model)

    def serves(self, architecture: str) -> bool:
        """Whether a version is live and may be served in this architecture."""
        return self.sha256 is not None and architecture in self.architectures


def sealed(document: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """The document with its `seal`. Raises ManifestError (`bad_manifest`) for one that no
    reader would take."""
    plain = {name: value for name, value in document.items() if name != "seal"}
    _check(plain)
    return seals.sealed(plain, DOMAIN, key)


def public_key(text: str) -> Ed25519PublicKey:
    """An installation's public key from its base64, as the portal shows it. Raises ValueError."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise ValueError("A public key is 32 bytes in base64, as the portal shows it.") from error


def parsed(document: object) -> Mapping[str, Any]:
    if isinstance(document, bytes | str):
        try:
            document = orjson.loads(document)
        except orjson.JSONDecodeError as error:
            raise ManifestError("bad_manifest", f"The manifest is no JSON: {error}.") from error
    if not isinstance(document, Mapping):
        raise ManifestError("bad_manifest", "A manifest must be a JSON object.")
    return document


def _check(document: Mapping[str, Any]) -> None:
    if document.get("schema") != SCHEMA:
        detail = f"The manifest has schema {document.get('schema')!r}, this berth reads {SCHEMA}."
        raise ManifestError("unknown_schema", f"{detail} Install a newer berth.")
    for name in _TEXTS:
        if not isinstance(document.get(name), str) or not document[name]:
            raise ManifestError("bad_manifest", f"The manifest's {name} must be a text.")
    _check_number(document, "offset")
    architectures = document.get("architectures")
    if not isinstance(architectures, list) or not all(isinstance(a, str) for a in architectures):
        raise ManifestError("bad_manifest", "The manifest's architectures must be a list of texts.")
    given = [name for name in _LIVE if document.get(name, None) is not None]
    if given and len(given) < len(_LIVE):
        detail = f"Of {', '.join(_LIVE)} all or none must be there."
        raise ManifestError("bad_manifest", detail)
    if given:
        _check_live(document)
    elif missing := [name for name in _LIVE if name not in document]:
        raise ManifestError("bad_manifest", f"The manifest lacks {', '.join(missing)}.")


def _check_live(document: Mapping[str, Any]) -> None:
    _check_number(document, "version")
    _check_number(document, "size")
    if document["size"] > LARGEST_BUNDLE:
        raise ManifestError("bad_manifest", "The manifest names a file larger than any Bundle.")
    if not isinstance(document["sha256"], str) or not _SHA256.fullmatch(document["sha256"]):
        raise ManifestError("bad_manifest", "The manifest's sha256 must be 64 lower-case digits.")
    for name in ("address", "runtime"):
        if not isinstance(document[name], str):
            raise ManifestError("bad_manifest", f"The manifest's {name} must be a text.")
    try:
        Signature.from_json(document["signature"])
    except InvalidSignature as error:
        raise ManifestError("bad_manifest", f"The manifest's signature: {error}") from error


def _check_number(document: Mapping[str, Any], name: str) -> None:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _EXACT:
        raise ManifestError("bad_manifest", f"The manifest's {name} must be a whole number from 1.")
