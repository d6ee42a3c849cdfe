"""The text of keys and tokens: how it is made, checked for typing mistakes and stored.

``sk_<id>_<secret>_<check>``, ``st_<id>_<secret>_<check>`` and ``pk_<id>_<check>``: base62, with a
CRC-32 at the end, so that a mistyped key is told without a query and leak scanners can tell a key
from noise. A secret is random over 190 bits, so a plain SHA-256 is all that storage needs.

An ``sk_`` is an organisation's secret key, a ``pk_`` its publishable one (no secret: its id is its
text), an ``st_`` the token of a model server of the installation.
"""

import hashlib
import hmac
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_letters
_PREFIXES = ("sk_", "pk_", "st_")


class NoKey(ValueError):
    """A text that is no key: mistyped, cut off, or something else."""


def new_secret() -> tuple[str, str]:
    """A new secret key: (its id, its text)."""
    return _issue("sk", 10, "_" + _random(32))


def new_publishable() -> tuple[str, str]:
    """A new publishable key; its id is its text, since it is no secret."""
    _, text = _issue("pk", 16, "")
    return text, text


def new_token() -> tuple[str, str]:
    """A new token for a model server: (its id, its text)."""
    return _issue("st", 10, "_" + _random(32))


def digest(text: str) -> str:
    """What is stored of a key's text: hexadecimal SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def id_of(text: str) -> str:
    """The id inside a key's text. Raises NoKey when the text is no key of ours."""
    body, _, check = text.rpartition("_")
    whole = text.isascii() and body.startswith(_PREFIXES)
    if not whole or not hmac.compare_digest(_check(body), check):
        raise NoKey("The text is no key: it may be mistyped.")
    return text if text.startswith("pk_") else "_".join(body.split("_")[:2])


def matches(text: str, stored: str) -> bool:
    """Whether the key is the one whose ``digest`` was stored."""
    return hmac.compare_digest(digest(text), stored)


def _issue(prefix: str, length: int, tail: str) -> tuple[str, str]:
    id_ = f"{prefix}_{_random(length)}"
    body = id_ + tail
    return id_, f"{body}_{_check(body)}"


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _check(body: str) -> str:
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text
