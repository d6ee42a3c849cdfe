"""Where a recurring job takes its file from, each time anew.

A source is a function: from what a schedule notes about it (``Schedule.source``, with the
source's name as ``kind``) to a stored file. Adding one is one function and one line in SOURCES.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the organisation's that lies in its storage under ``sha256``; ``format`` is what
    ``workers.recognition`` said."""

    filename: str
    format: str
    sha256: str
    size: int


Source = Callable[[Mapping[str, Any]], Found]
"""Called in the organisation's scope, inside the transaction that makes the job. Raises Conflict
where there is nothing to score (the run is noted as not started), Unavailable where it can't be
told just now (the slot is tried again)."""


def kept(file: Found) -> dict[str, Any]:
    """What a schedule notes about a file that was uploaded for it."""
    return {"kind": "file", **asdict(file)}


def _last_uploaded(source: Mapping[str, Any]) -> Found:
    return Found(source["filename"], source["format"], source["sha256"], source["size"])


SOURCES: dict[str, Source] = {"file": _last_uploaded}


def find(source: Mapping[str, Any]) -> Found:
    """The file to score now."""
    return SOURCES[source["kind"]](source)
