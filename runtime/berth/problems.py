"""What is wrong, said so that a person can put it right and a program can find the place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import orjson

_LONGEST_VALUE_SHOWN = 60
_LONGEST_NAME_COMPARED = 64  # difflib is quadratic, and names come from strangers


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: a JSON pointer (RFC 6901) to it, a stable code, a sentence for people."""

    pointer: str
    code: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """The shape in which the HTTP API reports it (`errors[]`, `warnings[]`)."""
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail}


class Invalid(ValueError):
    """Something was refused; `errors` says what and where, the first in reading order."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors[:3]))
        self.errors = list(errors)


class InvalidInput(Invalid):
    """Rows or columns that do not fit the signature."""


class InvalidSignature(Invalid):
    """A signature, or an edit of one, that contradicts itself."""


def pointer(*parts: str | int) -> str:
    """A JSON pointer of the parts, each escaped as RFC 6901 says."""
    return "".join(f"/{escaped(str(part))}" for part in parts)


def escaped(part: str) -> str:
    """One reference token of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1")


def shown(value: object) -> str:
    """A value as it may stand in a sentence: JSON where possible, never long."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # also orjson.JSONEncodeError: huge integers, surrogates, foreign types
        text = ascii(value) if isinstance(value, str) else type(value).__name__
    return text if len(text) <= _LONGEST_VALUE_SHOWN else f"{text[:_LONGEST_VALUE_SHOWN]}…"


def nearest(name: str, known: Iterable[str], limit: int = 1) -> list[str]:
    """The known names that come close to a mistaken one, best first; case does not count."""
    if len(name) > _LONGEST_NAME_COMPARED:
        return []
    folded = {candidate.casefold(): candidate for candidate in known}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=limit)]
