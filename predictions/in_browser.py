"""An option of embedded: widgets give the model to the applicant's browser, which predicts itself.

The file that they give is public from then on. It is the one that the judge made and measured, of
the live version alone, at an address that holds the widget's key and the file's digest.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction

from models_hub import compact, storage
from models_hub.doors import deployments_of, get_model_for
from models_hub.models import Architecture, Deployment, Version
from portal.access import Caller, Permission, record
from portal.errors import Conflict, Invalid


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """What a browser loads to answer for a version: the file's digest, and the lane it is for."""

    sha256: str
    lane: str


def file_of(version: Version) -> DeviceFile | None:
    """The version's file for browsers; None where no lane is open for it."""
    told: dict[str, Any] = version.report.get("architectures", {}).get("browser", {})
    if not told.get("available") or not told.get("sha256"):
        return None
    return DeviceFile(told["sha256"], told["lane"])


def set_in_browser(caller: Caller, slug: str, name: str, on: bool) -> Deployment:
    """Let widgets answer on the applicant's device, or no longer; twice changes nothing.

    Raises Invalid for any architecture but embedded, Conflict (`browser_closed`) where the live
    version can't run in a browser.
    """
    caller.require(Permission.PUBLISH)
    if name != Architecture.EMBEDDED:
        detail = "Only “embedded” has the option to answer in the applicant’s browser."
        raise Invalid.field("in_browser", "not_applicable", detail)
    with transaction.atomic():
        model = get_model_for(caller, slug, lock=True)
        if on and model.live and file_of(model.live) is None:
            told = model.live.report.get("architectures", {}).get("browser", {})
            detail = told.get("reason") or "It was uploaded before this could be measured."
            raise Conflict(
                f"Version {model.live.number} can’t run in a browser. {detail}",
                code="browser_closed",
            )
        deployment = deployments_of(model)[name]
        if deployment.in_browser != on:
            deployment.in_browser = on
            deployment.save()
            record(caller, f"deployment.in_browser_{'on' if on else 'off'}", model)
    return deployment


@lru_cache(maxsize=16)
def zipped(organisation_id: UUID, sha256: str) -> bytes:
    """The file as it goes over the wire, gzipped. Raises Unavailable when the storage lacks it."""
    return compact.zipped(storage.read_stored(organisation_id, sha256))
