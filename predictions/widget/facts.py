"""What a process remembers of a widget, so that showing its form costs no query."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from models_hub.models import Version
from portal.errors import NotFound, Unauthenticated, Unavailable
from portal.keys import RING, KeyFacts
from portal.models import Organisation
from portal.tenancy import DATABASE_AWAY, scope
from predictions.actions import model_of
from predictions.models import Widget


@dataclass(frozen=True, slots=True)
class WidgetFacts:
    """A widget as its page shows it. ``model`` is a slug, empty while there is none."""

    key: KeyFacts
    organisation: str
    title: str
    intro: str
    button: str
    contact: str
    origins: tuple[str, ...]
    model: str
    model_name: str
    seen: bool

    @property
    def contact_link(self) -> str:
        """Where the contact leads, if it is an e-mail address or a page."""
        if self.contact.startswith("https://"):
            return self.contact
        name, _, host = self.contact.partition("@")
        is_address = name and "." in host and not set(self.contact) & set(" <>,;")
        return f"mailto:{self.contact}" if is_address else ""

    @property
    def organisation_id(self) -> UUID:
        return self.key.organisation_id


class WidgetRing:
    """Widgets that this process has shown lately, for ``ttl`` seconds each.

    While the database is away, what was known goes on being shown.
    """

    def __init__(self, ttl: float) -> None:
        self.ttl = ttl
        self._known: dict[str, tuple[float, WidgetFacts]] = {}
        self._lock = threading.Lock()

    def find(self, key_id: str) -> WidgetFacts:
        """The widget of a live publishable key. Raises NotFound for any other text."""
        try:
            key = RING.find(key_id)
        except Unauthenticated as error:
            raise NotFound("form") from error
        if key.kind != "publishable":
            raise NotFound("form")
        until, facts = self._known.get(key_id, (0.0, None))
        if facts is not None and time.monotonic() < until:
            return facts
        return self._learn(key, facts)

    def _learn(self, key: KeyFacts, before: WidgetFacts | None) -> WidgetFacts:
        try:
            facts = _look_up(key)
        except DATABASE_AWAY as error:
            if before is None:
                raise Unavailable("The form can't be looked up just now.") from error
            facts = before
        with self._lock:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[key.id] = (time.monotonic() + self.ttl, facts)
        return facts

    def forget(self, key_id: str) -> None:
        """Read the widget anew the next time (it was changed here)."""
        self._known.pop(key_id, None)


def _look_up(key: KeyFacts) -> WidgetFacts:
    with scope(key.organisation_id):
        widget = Widget.objects.select_related("model").filter(key_id=key.id).first()
        if widget is None:
            raise NotFound("form")
        model = model_of(widget)
        organisation = Organisation.objects.get(pk=key.organisation_id)
    return WidgetFacts(
        key=key,
        organisation=organisation.name,
        title=widget.title,
        intro=widget.intro,
        button=widget.button,
        contact=widget.contact,
        origins=tuple(widget.origins),
        model=model.slug if model else "",
        model_name=model.name if model else "",
        seen=widget.seen is not None,
    )


def stamp_seen(facts: WidgetFacts) -> None:
    """The widget was shown inside one of its sites; only the first time is kept."""
    with scope(facts.organisation_id):
        Widget.objects.filter(key_id=facts.key.id, seen=None).update(seen=timezone.now())
    WIDGETS.forget(facts.key.id)


@lru_cache(maxsize=4096)
def made_on(organisation_id: UUID, slug: str, number: int) -> datetime:
    """When a version was uploaded; it never changes."""
    with scope(organisation_id):
        return Version.objects.get(model__slug=slug, number=number).created


WIDGETS = WidgetRing(settings.LIVE_TTL)
