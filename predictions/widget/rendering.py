"""How the applicant's page is put together: its templates, its frame, its own policy."""

from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, cast

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from predictions.forms import FormFields
from predictions.widget.device import OnDevice
from predictions.widget.estimate import Estimate
from predictions.widget.facts import WidgetFacts, made_on

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

TRAP = "homepage"  # people don't see this field; programs fill it in
THEMES = ("light", "dark")


class Closed(Exception):
    """The form can't be shown now: the status of the page and what it tells instead."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.text = text


def framed_by(origins: tuple[str, ...], view: View[P], device: OnDevice | None = None) -> View[P]:
    """The view under the page's policy: nothing from elsewhere, in no frame but the sites' own.

    Where the applicant's device answers, the page can reach the model's file and nothing else.
    """
    policy = {
        "default-src": [NONE],
        "script-src": [SELF, *(device.engines if device else ())],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": list(device.reached) if device else [SELF],
        "form-action": [NONE if device and device.alone else SELF],
        "base-uri": [NONE],
        "frame-ancestors": [SELF, *origins],
    }
    return cast(View[P], csp(policy)(view))


def form_page(
    request: HttpRequest,
    widget: WidgetFacts,
    fields: FormFields,
    *,
    device: OnDevice | None = None,
    estimate: Estimate | None = None,
    notice: str = "",
    status: int = 200,
) -> HttpResponse:
    """The form, with its answer or why there is none."""
    version = estimate.version if estimate else device and device.version
    context = {
        "fields": fields,
        "device": device,
        "shape": device and device.shape(widget),
        "estimate": estimate,
        "made": made_on(widget.organisation_id, widget.model, version) if version else None,
        "notice": notice,
        "trap": TRAP,
        "title": widget.title or widget.model_name,
    }
    return _rendered(request, "predictions/widget/form.html", widget, context, status)


def closed_page(
    request: HttpRequest, closed: Closed, widget: WidgetFacts | None = None
) -> HttpResponse:
    """What stands in for the form; with the organisation's contact where it is known."""
    context = {"title": closed.title, "text": closed.text}
    return _rendered(request, "predictions/widget/closed.html", widget, context, closed.status)


def is_embedded(request: HttpRequest) -> bool:
    """Is the page shown by ``<berth-widget>``?"""
    return request.GET.get("embed") == "1"


def _rendered(
    request: HttpRequest,
    template: str,
    widget: WidgetFacts | None,
    context: Mapping[str, Any],
    status: int,
) -> HttpResponse:
    """Rendered without the request, so no session, message or sign-in can get into the page."""
    theme = request.GET.get("theme", "")
    frame = {
        "widget": widget,
        "embedded": is_embedded(request),
        "theme": theme if theme in THEMES else "",
        "address": request.get_full_path(),
    }
    return HttpResponse(render_to_string(template, {**frame, **context}), status=status)
