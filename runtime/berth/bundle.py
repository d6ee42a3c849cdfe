"""The Bundle: one immutable, signed file that holds all it takes to run a model.

An uncompressed zip of exactly these entries in this order:

    model.onnx       the pipeline
    signature.json   its Signature
    manifest.json    the SHA-256 of both, and what the sealer says about them
    manifest.sig     64 bytes: Ed25519 (RFC 8032) over manifest.json's bytes

A model that has no graph, and so runs only inside the sandbox of the portal that took it in, has
the last three entries alone, and its manifest says `"runtime": "native"`.

JSON is canonical (keys sorted, UTF-8, no spaces), times and attributes are fixed: the same
content makes the same bytes, and a Bundle is named by their SHA-256. Reading packs the entries
anew and compares, so that no byte of the file can differ unnoticed.
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature as ForgedSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from berth.problems import InvalidSignature
from berth.signature import Signature

SCHEMA = 1
GRAPH = "model.onnx"
NATIVE = "native"
LARGEST_BUNDLE = 1 << 30  # bytes; well below where zip would need its 64-bit form
_LARGEST_JSON = 16 << 20
_ENTRIES = (GRAPH, "signature.json", "manifest.json", "manifest.sig")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that zip knows
# All that zipfile raises on bytes made to confuse it (an offset before the file's start, a
# name that is no UTF-8, an encrypted or unknown entry).
_UNREADABLE = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)
_OURS = frozenset({"schema", "files"})


class BundleError(ValueError):
    """A file that is no Bundle, or not the one that was sealed; `code` says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Bundle:
    """A read or sealed Bundle; `data` is the whole file, `onnx` is empty for a native model."""

    data: bytes
    onnx: bytes
    signature: Signature
    manifest: dict[str, Any]

    @cached_property
    def sha256(self) -> str:
        """The Bundle's name: the SHA-256 of the whole file, in hexadecimal."""
        return sha256(self.data).hexdigest()


def seal(
    onnx: bytes, signature: Signature, manifest: Mapping[str, Any], key: Ed25519PrivateKey
) -> Bundle:
    """Make and sign a Bundle.

    `manifest` is what the caller says: `created_at` (required, a text in ISO 8601), and what
    else belongs there (model, organisation, version, runtime, parity). `golden`, if given,
    is `{"instances": [...], "predictions": [...]}` and is what Predictor.verify_golden runs.
    `schema` and `files` are ours. `onnx` is empty just where the manifest's `runtime` is
    "native". Raises BundleError (`bad_manifest`, `too_large`) and InvalidSignature.
    """
    if not isinstance(manifest.get("created_at"), str):
        raise BundleError("bad_manifest", "The manifest needs created_at, an ISO 8601 text.")
    if taken := sorted(_OURS & manifest.keys()):
        raise BundleError("bad_manifest", f"The manifest's {', '.join(taken)} are set by seal().")
    checked = Signature.from_json(signature.to_json())
    _check_runtime(manifest, has_graph=bool(onnx))
    parts = {GRAPH: onnx} if onnx else {}
    parts["signature.json"] = canonical(checked.to_json())
    stated = {"schema": SCHEMA, "files": {name: _stated(part) for name, part in parts.items()}}
    sealed = canonical({**manifest, **stated})
    data = _packed([*parts.values(), sealed, key.sign(sealed)])
    if len(data) > LARGEST_BUNDLE:
        raise BundleError("too_large", f"A Bundle may hold at most {LARGEST_BUNDLE:,} bytes.")
    return Bundle(data, onnx, checked, orjson.loads(sealed))


def read(data: bytes, public_key: Ed25519PublicKey | None) -> Bundle:
    """Check a Bundle's every byte and open it.

    With a public key its signature is checked too; pass None only for a file whose SHA-256
    came from a trusted place. Raises BundleError with the code `too_large`, `not_a_bundle`,
    `wrong_entries`, `altered`, `forged`, `bad_manifest`, `unknown_schema` or `bad_signature`.
    """
    parts = dict(zip(reversed(_ENTRIES), reversed(_unpacked(data)), strict=False))
    seal_bytes, manifest = parts.pop("manifest.sig"), parts.pop("manifest.json")
    if public_key is not None:
        _check_seal(manifest, seal_bytes, public_key)
    stated = _manifest(manifest)
    if stated["files"] != {name: _stated(part) for name, part in parts.items()}:
        raise BundleError("altered", "The Bundle's parts are not the ones its manifest names.")
    _check_runtime(stated, has_graph=GRAPH in parts)
    return Bundle(data, parts.get(GRAPH, b""), _signature(parts["signature.json"]), stated)


def _check_runtime(manifest: Mapping[str, Any], *, has_graph: bool) -> None:
    if (manifest.get("runtime") == NATIVE) == has_graph:
        detail = f"A Bundle has no {GRAPH} just where its manifest's runtime is {NATIVE!r}."
        raise BundleError("bad_manifest", detail)


def canonical(document: object) -> bytes:
    """The one JSON text of a document: keys sorted, UTF-8, no spaces."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise BundleError("bad_manifest", f"Not plain JSON values: {error}.") from error


def _stated(part: bytes) -> dict[str, str | int]:
    return {"sha256": sha256(part).hexdigest(), "bytes": len(part)}


def _packed(parts: list[bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, part in zip(_ENTRIES[-len(parts) :], parts, strict=True):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # else it would say on which system it was made
            archive.writestr(entry, part)
    return file.getvalue()


def _unpacked(data: bytes) -> list[bytes]:
    if len(data) > LARGEST_BUNDLE:
        raise BundleError("too_large", f"A Bundle may hold at most {LARGEST_BUNDLE:,} bytes.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(data))
            parts = [archive.read(entry) for entry in entries]
    except BundleError:
        raise
    except _UNREADABLE as error:
        raise BundleError("not_a_bundle", f"The file is no readable Bundle: {error}.") from error
    if _packed(parts) != data:
        raise BundleError("altered", "The file is not as a Bundle is packed: it was altered.")
    return parts


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Nothing is read before names and sizes are known to be harmless."""
    if tuple(entry.filename for entry in entries) not in (_ENTRIES, _ENTRIES[1:]):
        detail = f"A Bundle holds exactly {', '.join(_ENTRIES)}, in this order."
        raise BundleError("wrong_entries", detail)
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > size:
        raise BundleError("wrong_entries", "A Bundle's entries are stored uncompressed.")
    if any(entry.file_size > _LARGEST_JSON for entry in entries[-3:]):
        detail = f"A Bundle's JSON may hold at most {_LARGEST_JSON:,} bytes."
        raise BundleError("too_large", detail)


def _check_seal(manifest: bytes, seal_bytes: bytes, key: Ed25519PublicKey) -> None:
    try:
        key.verify(seal_bytes, manifest)
    except ForgedSignature as error:
        detail = "The Bundle's manifest was not signed by the installation's key."
        raise BundleError("forged", detail) from error


def _manifest(text: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BundleError("bad_manifest", f"manifest.json is no JSON: {error}.") from error
    if not isinstance(document, dict) or not isinstance(document.get("files"), dict):
        raise BundleError("bad_manifest", "manifest.json must be an object that names the files.")
    if document.get("schema") != SCHEMA:
        detail = f"The Bundle has schema {document.get('schema')!r}, this berth reads {SCHEMA}."
        raise BundleError("unknown_schema", f"{detail} Install a newer berth.")
    return document


def _signature(text: bytes) -> Signature:
    try:
        return Signature.from_json(orjson.loads(text))
    except (orjson.JSONDecodeError, InvalidSignature) as error:
        detail = f"signature.json is not a valid signature: {error}."
        raise BundleError("bad_signature", detail) from error
