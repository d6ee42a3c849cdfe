"""How far the relay has got: what it notes, and what others may read of it."""

import time
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from portal.models import Counter
from workers.models import RelayState
from workers.outboxes import OUTBOXES, Outbox

log = structlog.get_logger()
BEAT_SECONDS = 5.0
SILENT_SECONDS = 60.0  # after which the relay itself is missing
NOBODY = "No relay has given a sign of life in the last minute. Is `manage.py relay` running?"


class LeaseLost(RuntimeError):
    """Another relay has moved a position that was ours to move."""


class Progress:
    """The notes of the relay that holds the lease."""

    def __init__(self) -> None:
        self._states: dict[str, RelayState] = {}
        self._complete: set[str] = set()
        self._problem, self._beat = "", 0.0
        for outbox in OUTBOXES:
            RelayState.objects.get_or_create(topic=outbox.topic, defaults={"at": Now()})

    def begin(self, outbox: Outbox, topic_id: str) -> None:
        """Go on where this very topic ends; one that was made anew is filled anew."""
        state = RelayState.objects.get(topic=outbox.topic)
        if state.topic_id != topic_id:
            if state.topic_id:
                log.warning("topic_is_another", topic=outbox.topic, from_position=state.position)
            state.topic_id, state.position = topic_id, 0
            state.save(update_fields=["topic_id", "position"])
        self._states[outbox.topic] = state
        self._complete.discard(outbox.topic)

    def of(self, outbox: Outbox) -> int:
        """The position that the topic goes up to."""
        return self._states[outbox.topic].position

    def is_complete(self, outbox: Outbox) -> bool:
        """Whether the topic's last mark, set by this relay, says that it is."""
        return outbox.topic in self._complete

    def reached(self, outbox: Outbox, position: int, complete: bool) -> None:
        """The brokers have all up to `position`, and a mark. Raises LeaseLost."""
        state = self._states[outbox.topic]
        ours = RelayState.objects.filter(
            topic=state.topic, topic_id=state.topic_id, position=state.position
        )
        if not ours.update(position=position, at=Now()):
            raise LeaseLost(f"{state.topic} is no longer at {state.position}.")
        state.position = position
        if complete:
            self._complete.add(outbox.topic)
        else:
            self._complete.discard(outbox.topic)

    def well(self) -> None:
        """Nothing waits. Noted now and then."""
        if self._problem:
            log.info("relay_works_again")
        if self._problem or time.monotonic() - self._beat > BEAT_SECONDS:
            self._problem, self._beat = "", time.monotonic()
            RelayState.objects.update(problem="", since=None, at=Now())

    def stuck(self, problem: str, error: Exception) -> None:
        """Something holds up the lines; the log says once what exactly."""
        if not self._problem:
            log.warning("relay_is_stuck", problem=problem, error=str(error))
        self._problem = problem
        RelayState.objects.update(problem=problem, since=Coalesce(F("since"), Now()), at=Now())


@dataclass(frozen=True, slots=True)
class Standing:
    """`waiting` lines of the feeds are not on Kafka yet; `problem` holds them up since `since`,
    both empty where nothing does."""

    waiting: int
    problem: str
    since: datetime | None


def standing() -> Standing | None:
    """How the feeds on Kafka stand; None where no Kafka is set."""
    if not settings.ENV.kafka_bootstrap_servers:
        return None
    states = {state.topic: state for state in RelayState.objects.annotate(age=Now() - F("at"))}
    heads = dict(Counter.objects.values_list("name", "value"))
    reached = {topic: state.position for topic, state in states.items()}
    waiting = sum(heads.get(o.feed, 0) - reached.get(o.topic, 0) for o in OUTBOXES)
    silent = [s.at for s in states.values() if s.age.total_seconds() > SILENT_SECONDS]
    if silent or not states:
        return Standing(waiting, NOBODY, min(silent, default=None))
    stuck = [state for state in states.values() if state.problem]
    return Standing(waiting, stuck[0].problem if stuck else "", stuck[0].since if stuck else None)


def told() -> dict[str, object] | None:
    """For readiness: the same, with the seconds that it has lasted."""
    found = standing()
    if found is None:
        return None
    seconds = (timezone.now() - found.since).total_seconds() if found.since else None
    return {"waiting": found.waiting, "problem": found.problem, "seconds": seconds}
