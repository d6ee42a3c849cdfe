"""Where a version can run, as its report has it."""

from dataclasses import dataclass
from typing import Any

from berth.bundle import NATIVE
from models_hub.events import GRAPHS_ONLY, runtime_of
from models_hub.models import Version
from portal.errors import Conflict


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """What a browser loads to answer for a version: the file's digest, and the lane it is for."""

    sha256: str
    lane: str


def file_of(version: Version) -> DeviceFile | None:
    """The version's file for browsers; None where no lane is open for it."""
    told = _in_browser(version)
    if not told.get("available") or not told.get("sha256"):
        return None
    return DeviceFile(told["sha256"], told["lane"])


def require_file(version: Version, way_out: str = "") -> None:
    """Raises Conflict (`browser_closed`) where no lane is open; ``way_out`` is what to do then."""
    if file_of(version) is None:
        why = _in_browser(version).get("reason") or "It was uploaded before this could be measured."
        said = f"Version {version.number} can’t run in a browser. {why} {way_out}"
        raise Conflict(said.strip(), code="browser_closed")


def _in_browser(version: Version) -> dict[str, Any]:
    told: dict[str, Any] = version.report.get("architectures", {}).get("browser", {})
    return told


def places_told(version: Version) -> dict[str, Any]:
    """The report's architectures by name. A report of a release without a feed says that nobody
    could follow one, which holds no more for a version that has a graph."""
    told = dict(version.report.get("architectures", {}))
    if runtime_of(version) != NATIVE:
        told |= {name: {"available": True, "reason": ""} for name in GRAPHS_ONLY & told.keys()}
    return told
