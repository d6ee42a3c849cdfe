"""Where a version can run, as its report has it."""

from typing import Any

from berth.bundle import NATIVE
from models_hub.events import GRAPHS_ONLY, runtime_of
from models_hub.models import Version


def places_told(version: Version) -> dict[str, Any]:
    """The report's architectures by name. A report of a release without a feed says that nobody
    could follow one, which holds no more for a version that has a graph."""
    told = dict(version.report.get("architectures", {}))
    if runtime_of(version) != NATIVE:
        told |= {name: {"available": True, "reason": ""} for name in GRAPHS_ONLY & told.keys()}
    return told
