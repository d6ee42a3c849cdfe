"""Whose key it is: told by the keys' feed, kept on disk, so that nothing has to be asked.

A key is known by its id and SHA-256 alone. With the portal away, known keys go on being honoured,
over restarts too; a revocation comes with the feed.
"""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from berth.buckets import Bucket
from berth.keys import matches
from berth.server.errors import ProtocolError

SCOPE = "predict"
_MOST_VERIFIED = 10_000
_LONGEST = 200  # letters
_CHALLENGE = ("www-authenticate", "Bearer")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that may ask; `buckets` are its own and its organisation's."""

    id: str
    organisation: str
    organisation_id: str
    digest: str
    scopes: frozenset[str]
    buckets: tuple[Bucket, Bucket]


class KeyRing:
    """The installation's keys, kept in the file `path`, which only its owner can read.

    Several processes may share the file: each writes it only where it knows more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        self._documents: dict[str, tuple[int, dict[str, Any]]] = {}
        self._keys: dict[str, Key] = {}
        self._verified: dict[str, Key] = {}
        self._saved = 0
        self._remember()

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, authorization: str | None) -> Key:
        """Whose key stands in the header `Authorization: Bearer sk_…`.

        Raises ProtocolError 401 for none and for one that is unknown or revoked, 403 for one
        that may not predict.
        """
        verified = self._verified  # emptied, by another dictionary, at any news of keys
        if authorization and authorization.startswith("Bearer "):  # as it nearly always does
            known = verified.get(authorization[7:])
            if known is not None:
                return known
        text = bearer(authorization)
        key = self._checked(text)
        if len(verified) >= _MOST_VERIFIED:
            verified.clear()
        verified[text] = key  # need not be hashed at each call
        return key

    def _checked(self, text: str) -> Key:
        key = self._keys.get("_".join(text.split("_", 2)[:2]))
        if key is None or not matches(text, key.digest):
            raise _invalid()
        if SCOPE not in key.scopes:
            raise ProtocolError(403, f"This key does not have the scope {SCOPE}.")
        return key

    def apply(self, position: int, document: object) -> None:
        """One line of the keys' feed. A line that is older than what is known changes nothing;
        one that can't be read is skipped, its key no longer honoured."""
        self.position = max(self.position, position)
        if not isinstance(document, Mapping) or not isinstance(document.get("key"), str):
            return
        name = document["key"]
        if position < self._documents.get(name, (0, None))[0]:
            return
        self._documents[name] = (position, dict(document))
        key = _key(document)
        if key is None:
            self._keys.pop(name, None)
        else:
            self._keys[name] = key
        self._verified = {}

    def save(self) -> None:
        """Write what is known, unless the file knows as much. Raises OSError."""
        if self._saved == self.position and self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            position, _ = self._read()
            if position < self.position:
                self._write()
            self._saved = self.position

    def _write(self) -> None:
        content = {"position": self.position, "keys": list(self._documents.values())}
        new = self.path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(content))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    def _remember(self) -> None:
        position, known = self._read()
        for at, document in known:
            self.apply(at, document)
        self.position = self._saved = position

    def _read(self) -> tuple[int, list[tuple[int, object]]]:
        """What the file says; nothing where it can't be read: the feed tells it all again."""
        try:
            content = orjson.loads(self.path.read_bytes())
            return int(content["position"]), [(int(at), item) for at, item in content["keys"]]
        except (OSError, ValueError, TypeError, KeyError):
            return 0, []


def bearer(authorization: str | None) -> str:
    """The text of `Authorization: Bearer …`. Raises ProtocolError 401 for none, and for one that
    is longer than any key."""
    kind, _, text = (authorization or "").partition(" ")
    if kind.lower() != "bearer" or not text:
        detail = "This server needs a key: send the header Authorization: Bearer sk_…"
        raise ProtocolError(401, detail, _CHALLENGE)
    if len(text) > _LONGEST:
        raise _invalid()
    return text.strip()


def _invalid() -> ProtocolError:
    detail = "This key is not valid: it may be mistyped or revoked."
    return ProtocolError(401, detail, _CHALLENGE)


def _key(document: Mapping[str, Any]) -> Key | None:
    """The key; None for one that is revoked, no secret, or not understood."""
    if document.get("revoked") is not False or document.get("kind") != "secret":
        return None
    if not str(document.get("digest")).isascii():  # could not even be compared
        return None
    try:
        organisation_id = str(document["organisation_id"])
        return Key(
            id=document["key"],
            organisation=str(document["organisation"]),
            organisation_id=organisation_id,
            digest=str(document["digest"]),
            scopes=frozenset(document["scopes"]),
            buckets=(
                Bucket(document["key"], int(document["calls_per_minute"])),
                Bucket(organisation_id, int(document["organisation_calls_per_minute"])),
            ),
        )
    except (KeyError, TypeError, ValueError):
        return None
