"""What there is to relay to Kafka: the feeds of models and of keys, line by line, as frames."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.db.models import QuerySet

from berth.feed.frames import (
    KEYS,
    MODELS,
    RECORD_BYTES,
    Frame,
    fits_inline,
    key_frame,
    model_frame,
)
from models_hub import sealing, storage
from models_hub.models import ModelEvent
from portal import tenancy
from portal.errors import Unavailable
from portal.feeds import Feed
from portal.models import Counter, KeyEvent

log = structlog.get_logger()
LINES = 16  # in one transaction of Kafka: their Bundles are in memory together


@dataclass(frozen=True)
class Outbox:
    """A feed and the topic that it goes to."""

    feed: Feed
    topic: str
    rows: Callable[[], QuerySet[Any]]
    framed: Callable[[Any], Frame | None]

    def after(self, position: int) -> list[Any]:
        """The next lines' rows, of every organisation, at most LINES."""
        with tenancy.relay():
            return list(self.rows().filter(position__gt=position).order_by("position")[:LINES])

    def head(self) -> int:
        """The position of the newest line; 0 without one."""
        newest = Counter.objects.filter(name=self.feed).values_list("value", flat=True)
        return newest.first() or 0

    def frame(self, row: Any) -> Frame | None:
        """The row's record; None for one that tells nothing, or more than a record holds.

        Raises Unavailable while the storage is away.
        """
        frame = self.framed(row)
        if frame is not None and frame.size > RECORD_BYTES:
            log.error("line_too_large_for_kafka", topic=self.topic, line=str(row), size=frame.size)
            return None
        return frame


def _model_frame(event: ModelEvent) -> Frame | None:
    """A line of a release that had no feed has no document."""
    document = event.document
    if document is None:
        return None
    return model_frame(document, _bundle(event) if fits_inline(document) else None)


def _bundle(event: ModelEvent) -> bytes | None:
    """The Bundle for the record itself. A file that is lost must not hold up everybody's lines:
    then its address is all that is told."""
    try:
        return storage.read_stored(event.organisation_id, event.sha256)
    except Unavailable:
        if not storage.is_reachable():
            raise
        log.error("bundle_lost", line=str(event), sha256=event.sha256)
        return None


def _key_frame(event: KeyEvent) -> Frame:
    return key_frame(event.document, event.position, sealing.signing_key())


OUTBOXES = (
    Outbox(Feed.KEYS, KEYS, lambda: KeyEvent.gate.all(), _key_frame),
    Outbox(Feed.MODELS, MODELS, lambda: ModelEvent.gate.all(), _model_frame),
)
