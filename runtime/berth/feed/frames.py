"""How the model feed lies in Apache Kafka; docs/kafka.md tells it to other programs.

Both topics have one partition, whose order is the feed's, and are compacted: of each key the
newest record stays. The relay writes them in transactions, so they are read with read_committed.

`berth.models`: key `organisation/model`; the header `manifest` is the signed line. The value is
the Bundle's file where the header `inline` is `1`, and `{}` where it is `0`: that Bundle is
fetched by the manifest's address. It is null (a tombstone) where the model is served neither
published nor dedicated; a tombstone without a manifest means nothing.

`berth.keys`: key the key's id, value its document as JSON, with its position and a seal.

Each transaction ends with a mark in the topic that it wrote: up to which position of the feed
the topic goes, and whether more was waiting. Without a sealed mark that says `complete`, a key
that isn't there proves nothing: the topic may just be being filled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from berth.feed import seals

MODELS, KEYS = "berth.models", "berth.keys"
MARK = b".mark"  # no organisation's slug and no key's id begins like this
INLINE_BYTES = 900_000  # of a Bundle
RECORD_BYTES = 980_000  # what clients and brokers take unasked, less their own few bytes
MANIFEST, INLINE = "manifest", "inline"
ARCHITECTURES = frozenset({"published", "dedicated"})  # the ones that Kafka feeds
_MARK_DOMAIN, _KEY_DOMAIN = b"berth feed mark\n", b"berth key event\n"


@dataclass(frozen=True, slots=True)
class Frame:
    """A record as it is written."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Bytes, without what Kafka itself adds."""
        texts = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key) + len(self.value or b"") + texts


def is_served(document: Mapping[str, Any]) -> bool:
    """Whether a line's model is to be found on Kafka."""
    return document["sha256"] is not None and not ARCHITECTURES.isdisjoint(
        document["architectures"]
    )


def fits_inline(document: Mapping[str, Any]) -> bool:
    """Whether the line's Bundle, if any, travels in the record itself."""
    room = min(INLINE_BYTES, RECORD_BYTES - len(orjson.dumps(document)))
    return is_served(document) and document["size"] <= room


def model_frame(document: Mapping[str, Any], bundle: bytes | None) -> Frame:
    """A line with its Bundle, or by address without it, or a tombstone where it isn't served."""
    key = f"{document['organisation']}/{document['model']}".encode()
    manifest = (MANIFEST, orjson.dumps(document))
    if not is_served(document):
        return Frame(key, None, (manifest,))
    if bundle is None:
        return Frame(key, b"{}", (manifest, (INLINE, b"0")))
    return Frame(key, bundle, (manifest, (INLINE, b"1")))


def key_frame(document: Mapping[str, Any], position: int, private_key: Ed25519PrivateKey) -> Frame:
    """An API key's standing (`key` is its id), as of this position of the feed of keys."""
    placed = {**document, "position": position}
    text = orjson.dumps(seals.sealed(placed, _KEY_DOMAIN, private_key))
    return Frame(str(document["key"]).encode(), text)


def read_key(value: bytes | None, public_key: Ed25519PublicKey | None) -> dict[str, Any] | None:
    """A key's document, with its position; None for what the installation did not seal."""
    found = _read(value, _KEY_DOMAIN, public_key)
    return found if found is not None and type(found.get("position")) is int else None


def mark_frame(topic: str, position: int, complete: bool, private_key: Ed25519PrivateKey) -> Frame:
    """The mark that ends a transaction."""
    document = {"schema": 1, "topic": topic, "position": position, "complete": complete}
    return Frame(MARK, orjson.dumps(seals.sealed(document, _MARK_DOMAIN, private_key)))


@dataclass(frozen=True, slots=True)
class Mark:
    """The topic goes up to this position of its feed; `complete`: which was all there was."""

    position: int
    complete: bool


def read_mark(value: bytes | None, topic: str, public_key: Ed25519PublicKey | None) -> Mark | None:
    """A mark's value; None for one that the installation did not set in this topic."""
    found = _read(value, _MARK_DOMAIN, public_key)
    if found is None or found.get("topic") != topic or type(found.get("position")) is not int:
        return None
    return Mark(found["position"], found.get("complete") is True)


def _read(
    value: bytes | None, domain: bytes, public_key: Ed25519PublicKey | None
) -> dict[str, Any] | None:
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    if public_key is not None and not seals.holds(document, domain, public_key):
        return None
    return document
