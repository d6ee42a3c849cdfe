"""What every page of a model shows around its own content: name, status, tabs."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from models_hub.models import MADE_LIVE, Architecture, Deployment, HostedModel, ModelEvent, Version
from portal.pages import PageRequest


@dataclass(frozen=True, slots=True)
class Chip:
    """A status as ``parts/chip.html`` takes it."""

    kind: str
    text: str


def status_of(model: HostedModel, newest: Version | None) -> list[Chip]:
    """Which version is live, and what became of the newest one where that is another."""
    if newest is None:
        return [Chip("", "No version yet")]
    live = model.live.number if model.live else 0
    chips = [Chip("good", f"Live, version {live}") if live else Chip("warn", "Nothing live")]
    if newest.number > live:
        chips.append(_status_of_newest(newest))
    return chips


def _status_of_newest(version: Version) -> Chip:
    return {
        Version.Status.INSPECTING: Chip("busy", f"Inspecting version {version.number}"),
        Version.Status.READY: Chip("", f"Version {version.number} ready"),
        Version.Status.REFUSED: Chip("bad", f"Version {version.number} refused"),
    }[Version.Status(version.status)]


def show(
    request: PageRequest,
    template: str,
    model: HostedModel,
    tab: str,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """A page below the model's tabs; ``tab`` names the one it stands under."""
    versions = Version.objects.filter(model=model)
    newest = versions.first()
    frame = {
        "nav": "models",
        "model": model,
        "tab": tab,
        "newest": newest,
        "version_count": versions.count(),
        "status_chips": status_of(model, newest),
        "deployed": _deployed(model),
        "since": _live_since(model),
        "previous": model.before[-1] if model.before else None,
    }
    return render(request, template, {**frame, **context}, status=status)


def _deployed(model: HostedModel) -> list[str]:
    rows = Deployment.objects.filter(model=model, is_active=True)
    active = set(rows.values_list("architecture", flat=True))
    return [str(architecture.label) for architecture in Architecture if architecture in active]


def _live_since(model: HostedModel) -> ModelEvent | None:
    """The event that made the present version live."""
    return ModelEvent.objects.filter(model=model, type__in=MADE_LIVE).last()
