"""Reading the model feed and its Bundles: an organisation's own part, or a server's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Max, QuerySet

from models_hub import storage
from models_hub.models import ModelEvent, Version
from portal.access import Caller, Permission
from portal.errors import Conflict, NotFound
from portal.feeds import Feed, last_position
from portal.models import KeyEvent
from portal.servers import Server


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, and the place to go on from."""

    items: list[Any]
    next: int

    def __bool__(self) -> bool:
        return bool(self.items)

    def to_json(self) -> dict[str, Any]:
        return {"items": self.items, "next": self.next}


def models_for(caller: Caller, after: int, limit: int) -> Page:
    """The organisation's lines after an offset. Call it within the organisation's scope.

    Raises Conflict (`feed_rewound`) for an offset beyond the newest."""
    caller.require(Permission.READ)
    rows = ModelEvent.objects.filter(offset__gt=after, document__isnull=False)
    found = list(rows.order_by("offset").values_list("offset", "document")[:limit])
    if not found and after:
        _require_within(after, ModelEvent.objects.aggregate(top=Max("offset"))["top"] or 0)
    return Page([document for _, document in found], found[-1][0] if found else after)


def models_for_server(server: Server, after: int, limit: int, *, compact: bool) -> Page:
    """The lines after a position that the server may see. ``compact`` leaves out those that a
    newer line of the same model supersedes. Call it within the server's reach."""
    rows = server.lines(ModelEvent).filter(position__gt=after, document__isnull=False)
    if compact:
        newest = rows.order_by("model_id", "-position").distinct("model_id")
        rows = server.lines(ModelEvent).filter(pk__in=newest.values("pk"))
    return _positioned(Feed.MODELS, rows, after, limit)


def keys_for_server(server: Server, after: int, limit: int) -> Page:
    """What changed of keys after a position. Call it within the server's reach."""
    rows = server.lines(KeyEvent).filter(position__gt=after)
    return _positioned(Feed.KEYS, rows, after, limit)


def _positioned(feed: Feed, rows: QuerySet[Any], after: int, limit: int) -> Page:
    found = list(rows.order_by("position").values_list("position", "document")[:limit])
    if not found and after:
        _require_within(after, last_position(feed))
    items = [{"position": position, **document} for position, document in found]
    return Page(items, found[-1][0] if found else after)


def _require_within(after: int, head: int) -> None:
    """Raises Conflict for a place that this feed has not come to: it was restored from a backup
    that is older than what the follower has read."""
    if after > head:
        raise Conflict(
            f"The feed ends at {head:,}, before {after:,}: it was restored from an older backup."
            " Forget what you read of it and start again from 0.",
            code="feed_rewound",
        )


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A Bundle's file in the storage; ``size`` in bytes."""

    organisation_id: UUID
    sha256: str
    size: int

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """Its bytes from ``start`` up to ``stop``. Raises Unavailable."""
        return storage.pieces(self.organisation_id, self.sha256, start, stop)


def get_bundle_for(server: Server, sha256: str) -> StoredBundle:
    """The Bundle of a version that the caller may see: any of its organisation, or one that was
    ever on the feed of the installation. Raises NotFound."""
    with server.reach():
        if server.organisation_id is not None:
            versions = Version.objects.filter(bundle_sha256=sha256)
            found = versions.values_list("organisation_id", "bundle_size").first()
        else:
            events = ModelEvent.gate.filter(sha256=sha256, document__isnull=False)
            found = events.values_list("organisation_id", "document__size").first()
    if found is None:
        raise NotFound("bundle")
    return StoredBundle(found[0], sha256, found[1])
