"""Deploy: the architectures as they are on this installation, what each needs, how it is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from models_hub.doors import deployments_of, get_model_for
from models_hub.models import Deployment
from models_hub.views.figures import scientific
from models_hub.views.frame import Chip, show
from portal.errors import Conflict, Invalid
from portal.pages import PageRequest, address, deed, page
from predictions.architectures import ARCHITECTURES, Architecture, set_active
from predictions.in_browser import set_in_browser
from predictions.snippets import Snippet
from predictions.subscribers import Follower

_WAYS = {"live": ("embedded", "dedicated", "published"), "batch": ("offline",)}


@dataclass(frozen=True, slots=True)
class Offer:
    """One architecture on the page. ``why_not`` is empty where it can be switched on."""

    architecture: Architecture
    is_active: bool
    chip: Chip
    sentence: str
    why_not: str
    snippets: list[Snippet]
    followers: list[Follower] | None


@page
def deploy(request: PageRequest, slug: str) -> HttpResponse:
    """Live or batch, and in which architecture."""
    model = get_model_for(request.caller, slug)
    report: Mapping[str, Any] = model.live.report if model.live else {}
    told = report.get("architectures", {})
    deployments = deployments_of(model)
    offers = {
        way: [_offer(ARCHITECTURES[name], deployments[name], address(request)) for name in names]
        for way, names in _WAYS.items()
    }
    browser = told.get("browser") or {"available": False, "reason": "", "bytes": None}
    return show(
        request,
        "predictions/deploy.html",
        model,
        "deploy",
        offers=offers,
        browser=browser,
        worst=scientific(browser.get("light", {}).get("worst", 0.0)),
        embedded=deployments["embedded"],
        latency=report.get("latency", {}).get("p50_ms"),
    )


def _offer(architecture: Architecture, deployment: Deployment, portal: str) -> Offer:
    status = architecture.status(deployment)
    why_not = architecture.why_not(deployment)
    kind = "good" if status.is_good else "warn" if deployment.is_active else ""
    in_use = deployment.is_active and deployment.model.live_id
    return Offer(
        architecture=architecture,
        is_active=deployment.is_active,
        chip=Chip("" if why_not else kind, "Not natively" if why_not else status.word),
        sentence=status.sentence,
        why_not=why_not,
        snippets=architecture.usage(deployment, portal) if in_use else [],
        followers=architecture.followers(deployment) if deployment.is_active else None,
    )


@deed
def deployment(request: PageRequest, slug: str, architecture: str) -> HttpResponse:
    """Activate (``is_active=1``) or retire (``is_active=0``) the model there; ``in_browser=1`` or
    ``0`` says whether the applicant's browser answers."""
    if "in_browser" in request.POST:
        return _in_browser(request, slug, architecture)
    wanted = request.POST.get("is_active", "")
    if wanted not in ("0", "1"):
        raise Invalid.field("is_active", "required", "Say is_active=1 or is_active=0.")
    try:
        set_active(request.caller, slug, architecture, wanted == "1")
    except Conflict as conflict:
        messages.error(request, conflict.detail)
    else:
        title = ARCHITECTURES[architecture].title
        messages.success(request, f"{title}: {'active' if wanted == '1' else 'switched off'}.")
    return redirect("deploy", slug)


def _in_browser(request: PageRequest, slug: str, architecture: str) -> HttpResponse:
    on = request.POST["in_browser"] == "1"
    try:
        set_in_browser(request.caller, slug, architecture, on)
    except Conflict as conflict:
        messages.error(request, conflict.detail)
    else:
        said = "widgets compute on the applicant’s device from now on." if on else "switched off."
        messages.success(request, f"In the applicant’s browser: {said}")
    return redirect("deploy", slug)
