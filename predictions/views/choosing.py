"""Choose an architecture: what was measured for this very version, what holds by design, and
which one fits three answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpResponse

from models_hub.doors import get_model_for
from models_hub.models import HostedModel, Version
from models_hub.places import places_told
from models_hub.views.figures import scientific
from models_hub.views.frame import show
from portal.pages import PageRequest, page
from predictions.architectures import ARCHITECTURES
from predictions.recommending import DESIGN, QUESTIONS, recommend
from predictions.subscribers import arrivals

ORDER = ("embedded", "browser", "dedicated", "published", "offline")
TITLES = {name: one.title for name, one in ARCHITECTURES.items()} | {
    "browser": "In the applicant’s browser"
}

_FOLLOWERS = {"dedicated": "server", "published": "subscriber"}


@dataclass(frozen=True, slots=True)
class Row:
    """An architecture's line. Figures are None where nothing was measured; ``why_not`` is empty
    where the version can be had there."""

    name: str
    title: str
    why_not: str
    p50_ms: float | None
    p99_ms: float | None
    rows_per_second: int | None
    ships: int | None
    swap: str
    worst: str
    agrees: bool | None
    failed: str
    design: tuple[str, str, str, str]


class QuestionsForm(forms.Form):
    """The three questions, answered in the address, so that an answer can be passed on."""

    def __init__(self, given: Mapping[str, str] | None) -> None:
        super().__init__(given, label_suffix="")
        for question in QUESTIONS:
            self.fields[question.name] = forms.ChoiceField(
                label=question.text,
                choices=question.choices,
                widget=forms.RadioSelect,
                error_messages={"required": "Choose one of them."},
            )


@page
def choose(request: PageRequest, slug: str) -> HttpResponse:
    """The comparison for the live version, or for the newest one that is ready."""
    model = get_model_for(request.caller, slug)
    version = model.live or _newest_ready(model)
    certificate = version.report.get("certificate", {}) if version else {}
    rows = [_row(name, version) for name in ORDER] if version else []
    closed = {row.name: row.why_not for row in rows if row.why_not}
    form = QuestionsForm(request.GET.dict() or None)
    found = recommend(form.cleaned_data, closed) if form.is_valid() else None
    return show(
        request,
        "predictions/choose.html",
        model,
        "deploy",
        version=version,
        certificate=certificate,
        inherited=f"Certified as version {certificate['of']}" if certificate.get("of") else "",
        rows=rows,
        form=form,
        recommendation=found,
        recommended=TITLES[found.name] if found else "",
        passed_over=[(TITLES[name], why) for name, why in found.passed_over] if found else [],
    )


def _newest_ready(model: HostedModel) -> Version | None:
    return Version.objects.filter(model=model, status=Version.Status.READY).first()


def _row(name: str, version: Version) -> Row:
    report: Mapping[str, Any] = version.report
    way = report.get("certificate", {}).get("ways", {}).get(name, {})
    mismatches, worst = way.get("mismatches"), way.get("worst")
    return Row(
        name=name,
        title=TITLES[name],
        why_not=_why_not(places_told(version).get(name)),
        p50_ms=way.get("p50_ms"),
        p99_ms=way.get("p99_ms"),
        rows_per_second=way.get("rows_per_second"),
        ships=_ships(name, version),
        swap=_swap(name, version),
        worst="" if worst is None else scientific(worst),
        agrees=None if mismatches is None else mismatches == 0,
        failed=way.get("failed", ""),
        design=DESIGN[name],
    )


def _why_not(told: Mapping[str, Any] | None) -> str:
    return told["reason"] if told and not told["available"] else ""


def _ships(name: str, version: Version) -> int | None:
    """Bytes that go to whoever runs the model there; None where nothing leaves this portal."""
    if name in ("dedicated", "published"):
        return version.bundle_size
    if name == "browser":
        told = version.report.get("architectures", {}).get(name, {})
        size: int | None = told.get("gzip_bytes") or told.get("bytes")
        return size
    return None


def _swap(name: str, version: Version) -> str:
    """From a promotion to the new version answering: as others reported it, or what holds by
    design where the portal itself answers."""
    if name in _FOLLOWERS:
        took = arrivals(version, _FOLLOWERS[name])
        return f"{max(took):.1f} s, the slowest of {len(took)}" if took else ""
    return {
        "embedded": f"within {settings.LIVE_TTL:g} s",
        "browser": f"within {settings.LIVE_TTL:g} s, for pages opened then",
        "offline": "from the next job on",
    }[name]
