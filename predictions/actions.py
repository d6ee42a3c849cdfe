"""What can be done to widgets. Permission, transaction and audit inside."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from models_hub.doors import get_model_for
from models_hub.models import HostedModel, ModelEvent
from portal.access import Caller, Permission, record
from portal.actions import create_publishable_key, revoke_key
from portal.errors import Invalid
from predictions.doors import get_widget_for
from predictions.models import Widget
from predictions.origins import read_origins


@dataclass(frozen=True, slots=True)
class WidgetSettings:
    """What a person says about a widget. ``model`` is a slug; empty for the first promoted one.

    ``origins`` are sites as people write them, one each.
    """

    model: str = ""
    title: str = ""
    intro: str = ""
    button: str = ""
    contact: str = ""
    origins: Sequence[str] = ()


_LONGEST = {"title": 120, "intro": 2_000, "button": 60, "contact": 200}


def widgets_for(caller: Caller) -> QuerySet[Widget]:
    """The organisation's widgets with their keys and models."""
    caller.require(Permission.READ)
    return Widget.objects.select_related("key", "model", "model__live")


def model_of(widget: Widget) -> HostedModel | None:
    """The model that answers: the widget's own, else the first that was ever promoted.

    Looked up at each reading, so a widget made before any model begins to answer with the first
    promotion, without the promotion knowing of widgets.
    """
    if widget.model is not None:
        return widget.model
    promoted = ModelEvent.objects.filter(type=ModelEvent.Type.PROMOTED, model__live__isnull=False)
    event = promoted.select_related("model__live").order_by("offset").first()
    return event.model if event else None


def create_widget(caller: Caller, name: str, model_slug: str | None = None) -> Widget:
    """A widget with a publishable key of its own. ``name`` is what colleagues see.

    Raises Invalid for a name that is empty or long, NotFound for a model that is not there.
    """
    caller.require(Permission.MANAGE)
    model = get_model_for(caller, model_slug) if model_slug else None
    with transaction.atomic():
        key = create_publishable_key(caller, name).row
        widget = Widget.objects.create(key=key, model=model)
        record(caller, "widget.created", widget, key.name, model=model_slug or "")
    return widget


def update_widget(caller: Caller, key_id: str, settings: WidgetSettings) -> Widget:
    """Change what the widget says, which model answers and which sites may show it.

    Raises Invalid (errors point at ``/title``, ``/origins`` …), NotFound for a model that is not
    there.
    """
    caller.require(Permission.MANAGE)
    widget = get_widget_for(caller, key_id)
    model = get_model_for(caller, settings.model) if settings.model else None
    after = {
        "model_id": model.pk if model else None,
        "title": _short(settings, "title"),
        "intro": _short(settings, "intro"),
        "button": _short(settings, "button"),
        "contact": _short(settings, "contact"),
        "origins": read_origins(settings.origins),
    }
    changed = [name for name, value in after.items() if getattr(widget, name) != value]
    if not changed:
        return widget
    for name in changed:
        setattr(widget, name, after[name])
    with transaction.atomic():
        widget.save(update_fields=changed)
        record(
            caller,
            "widget.changed",
            widget,
            widget.key.name,
            changed=[name.removesuffix("_id") for name in changed],
            origins=after["origins"],
        )
    return get_widget_for(caller, key_id)


def close_widget(caller: Caller, key_id: str) -> Widget:
    """Revoke the widget's key: its page and every site that shows it say that it is closed."""
    caller.require(Permission.MANAGE)
    widget = get_widget_for(caller, key_id)
    with transaction.atomic():
        revoke_key(caller, key_id)
        record(caller, "widget.closed", widget, widget.key.name)
    return get_widget_for(caller, key_id)


def _short(settings: WidgetSettings, name: str) -> str:
    text = str(getattr(settings, name)).strip()
    if len(text) > _LONGEST[name]:
        raise Invalid.field(
            name, "too_long", f"At most {_LONGEST[name]:,} characters, these are {len(text):,}."
        )
    return text
