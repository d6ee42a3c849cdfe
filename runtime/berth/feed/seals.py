"""Ed25519 (RFC 8032) seals on JSON documents, each kind of document under a domain of its own.

`seal` is base64 over the domain and the canonical document without it. The domain keeps a seal
from being passed off as one on another kind of document.
"""

import base64
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature as ForgedSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from berth.bundle import BundleError, canonical

_EXACT = 1 << 53  # below this every whole number is also a double


def sealed(document: Mapping[str, Any], domain: bytes, key: Ed25519PrivateKey) -> dict[str, Any]:
    """The document with its `seal`. Raises BundleError for what JSON can't hold."""
    seal = base64.b64encode(key.sign(_signed_bytes(document, domain))).decode()
    return {**_unsealed(document), "seal": seal}


def holds(document: Mapping[str, Any], domain: bytes, key: Ed25519PublicKey) -> bool:
    """Whether the document bears a seal made with the key's other half under this domain."""
    try:
        seal = base64.b64decode(str(document.get("seal")), validate=True)
        key.verify(seal, _signed_bytes(document, domain))
    except (ForgedSignature, ValueError, RecursionError, BundleError):  # whatever was made up
        return False
    return True


def _unsealed(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "seal"}


def _signed_bytes(document: Mapping[str, Any], domain: bytes) -> bytes:
    return domain + canonical(_plain(_unsealed(document)))


def _plain(value: object) -> object:
    """The value with each number spelt in one way: jsonb and other programs write 1e16 as
    10000000000000000 and 2.0 as 2, and the seal shall hold all the same."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if abs(value) < _EXACT:
        return int(value) if value == int(value) else value
    try:
        return float(value)
    except OverflowError as error:
        raise BundleError("bad_manifest", "A number is too large for JSON.") from error
