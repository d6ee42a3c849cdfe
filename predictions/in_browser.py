"""An option of embedded: widgets give the model to the applicant's browser, which predicts itself.

The file that they give is public from then on. It is the one that the judge made and measured, of
the live version alone, at an address that holds the widget's key and the file's digest.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from berth.loaded import Loaded
from models_hub import compact, storage
from models_hub.doors import deployments_of, get_model_for
from models_hub.models import Architecture, Deployment
from models_hub.places import require_file
from portal import permits
from portal.access import Caller, Permission, record
from portal.errors import Invalid


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
        if on and model.live:  # with nothing live, the promotion asks: see `models_hub.actions`
            require_file(model.live)
        deployment = deployments_of(model)[name]
        if deployment.in_browser != on:
            deployment.in_browser = on
            deployment.save()
            record(caller, f"deployment.in_browser_{'on' if on else 'off'}", model)
    return deployment


@dataclass(frozen=True, slots=True)
class Zipped:
    """A file as it goes over the wire."""

    data: bytes

    @property
    def nbytes(self) -> int:
        return len(self.data)


FILES: Loaded[tuple[UUID, str], Zipped] = Loaded(64 << 20)


def zipped(organisation_id: UUID, sha256: str) -> bytes:
    """The file as it goes over the wire, gzipped; by one thread for all that ask for it, while
    others work. Raises Unavailable when the storage lacks it."""
    key = (organisation_id, sha256)
    if (found := FILES.peek(key)) is None:
        with permits.resting():
            found = FILES.get(
                key, lambda: Zipped(compact.zipped(storage.read_stored(organisation_id, sha256)))
            )
    return found.data
