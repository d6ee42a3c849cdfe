"""One record of a journal, as the loader keeps it and as a model server may ship it."""

import math
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from berth.journal import SEPARATOR

_MOST_INT = 2**31 - 1
_YEARS = range(2000, 2200)


class Record(NamedTuple):
    """The columns of ``Prediction``, in the order in which a record's head names them."""

    id: UUID
    organisation_id: UUID
    at: datetime
    model: str
    version: int
    source: str
    rows: int
    milliseconds: float
    request: str
    response: str


def read(record: bytes) -> Record:
    """Read a whole line's record. Raises ValueError unless PostgreSQL can take every column:
    a server's token is enough to send what no server of ours would write."""
    about, request, response = record.split(SEPARATOR)
    head = orjson.loads(about)
    if not isinstance(head, list) or len(head) != 8:
        raise ValueError("The head is no list of eight.")
    id_, organisation, at, model, version, source, rows, milliseconds = head
    return Record(
        UUID(_text(id_, 36)),
        UUID(_text(organisation, 36)),
        _time(at),
        _text(model, 63),
        _count(version),
        _text(source, 32),
        _count(rows),
        _duration(milliseconds),
        _stored(request.decode()),
        _stored(response.decode()),
    )


def _text(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"{value!r:.80} is no text of at most {most} characters.")
    return _stored(value)


def _stored(text: str) -> str:
    if "\x00" in text:  # PostgreSQL has no place for it
        raise ValueError("There is a NUL in it.")
    return text


def _time(value: object) -> datetime:
    at = datetime.fromisoformat(_text(value, 40))
    if at.tzinfo is None or at.year not in _YEARS:
        raise ValueError(f"{value!r} is no time with a zone, of years that can be.")
    return at


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_INT:
        raise ValueError(f"{value!r:.80} is no whole number from 0 to {_MOST_INT}.")
    return value


def _duration(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.80} is no finite number.")
    return float(value)
