"""The applicant's page: a form that answers, for everybody who has its address.

Nobody signs in here. There is no session and no cookie, so there is nothing that a forged request
could ride on; who may show the page in a frame is said by its Content-Security-Policy.
"""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from berth.problems import Invalid as InvalidData
from berth.signature import Signature
from portal.errors import BerthError, Conflict, Invalid, NotFound, RateLimited, TooLarge
from portal.middleware import client_address
from predictions.answering import Question, answer
from predictions.engine import ENGINE, Served
from predictions.forms import FormFields, explain, parse
from predictions.limits import Bucket, Limiter
from predictions.origins import origin_of
from predictions.widget.device import ALONE, OnDevice, on_device
from predictions.widget.estimate import Estimate, estimate_of
from predictions.widget.facts import WIDGETS, WidgetFacts, stamp_seen
from predictions.widget.rendering import (
    TRAP,
    Closed,
    closed_page,
    form_page,
    framed_by,
    is_embedded,
)

LIMITER = Limiter(settings.ENV.redis_url)
CALLS_PER_MINUTE_AND_ADDRESS = 60
MAX_BYTES = 128 * 1024
_NOT_READY = "This form isn’t ready yet"
_LATER = "Try again in a minute."


@csrf_exempt
@xframe_options_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def applicant(request: HttpRequest, key: str) -> HttpResponseBase:
    """``/w/<pk>``: the form (GET) and its answer (POST)."""
    try:
        widget = WIDGETS.find(key)
    except NotFound:
        text = "The address may be mistyped, or the form was closed."
        return framed_by((), closed_page)(request, Closed(404, "There is no form here", text))
    except BerthError as error:
        return framed_by((), closed_page)(request, Closed(error.status, error.title, _LATER))
    try:
        served, signature = _served(widget)
    except Closed as closed:
        return framed_by(widget.origins, closed_page)(request, closed, widget)
    device = on_device(request, widget, served, signature)
    return framed_by(widget.origins, _shown, device)(request, widget, signature, device)


def _shown(
    request: HttpRequest, widget: WidgetFacts, signature: Signature, device: OnDevice | None
) -> HttpResponse:
    if request.method == "POST":
        return _answered(request, widget, signature, device)
    if is_embedded(request) and not widget.seen and _embedder(request) in widget.origins:
        stamp_seen(widget)
    return form_page(request, widget, FormFields(signature), device=device)


def _embedder(request: HttpRequest) -> str:
    """The origin of the page around the frame; the loader asks browsers to say it."""
    return origin_of(request.headers.get("Referer", ""))


def _served(widget: WidgetFacts) -> tuple[Served, Signature]:
    """The live version, and what it asks for. Raises Closed while nothing can answer."""
    if not widget.model:
        raise Closed(503, _NOT_READY, "It is not connected to a model yet.")
    try:
        served = ENGINE.find(widget.organisation_id, widget.model)
        if not served.active and not served.device:
            raise Closed(503, "This form is paused", "It does not answer at the moment.")
        return served, ENGINE.signature(widget.organisation_id, served)
    except (NotFound, Conflict) as error:
        raise Closed(503, _NOT_READY, "Its model has no version that answers yet.") from error
    except BerthError as error:
        raise Closed(503, error.title, _LATER) from error


def _answered(
    request: HttpRequest, widget: WidgetFacts, signature: Signature, device: OnDevice | None
) -> HttpResponse:
    estimate = None
    try:
        if device and device.alone:
            raise Conflict(ALONE)
        _check_size(request)
        _take_call(request, widget)
        instance, errors = parse(signature, request.POST)
        if request.POST.get(TRAP):
            errors = {"": "It did not look as if a person sent it. Send it once more."}
        if not errors:
            estimate = _estimate(widget, instance)
    except InvalidData as refusal:
        errors = explain(signature, refusal.errors)
    except Invalid as refusal:
        errors = explain(signature, refusal.errors) or {"": refusal.detail}
    except BerthError as error:
        return _refused(request, widget, signature, error, device)
    fields = FormFields(signature, request.POST, errors)
    status = 422 if errors else 200
    return form_page(request, widget, fields, device=device, estimate=estimate, status=status)


def _check_size(request: HttpRequest) -> None:
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        raise TooLarge("What was sent is too long for this form.")


def _take_call(request: HttpRequest, widget: WidgetFacts) -> None:
    """Count the call: for the visitor, the key and the organisation. Raises RateLimited."""
    key = widget.key
    visitor = f"{key.id}:{_visitor(request)}"
    LIMITER.take(
        [
            Bucket(visitor, CALLS_PER_MINUTE_AND_ADDRESS, burst_seconds=20),
            Bucket(key.id, key.calls_per_minute),
            Bucket(str(key.organisation_id), key.organisation_calls_per_minute),
        ]
    )


def _visitor(request: HttpRequest) -> str:
    """Who counts as one visitor: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        address = ip_address(client_address(request))
    except ValueError:
        return "unknown"
    return f"{address.exploded[:19]}::/64" if isinstance(address, IPv6Address) else str(address)


def _estimate(widget: WidgetFacts, instance: Mapping[str, Any]) -> Estimate:
    question = Question(widget.organisation_id, widget.key.id, widget.model, [instance])
    return estimate_of(answer(question))


def _refused(
    request: HttpRequest,
    widget: WidgetFacts,
    signature: Signature,
    error: BerthError,
    device: OnDevice | None,
) -> HttpResponse:
    """The form again, with what was written and why there is no answer."""
    notice = "There is no answer just now. What you wrote is still here: try again in a minute."
    if isinstance(error, RateLimited):
        seconds = error.headers["Retry-After"]
        wait = "a second" if seconds == "1" else f"{seconds} seconds"
        notice = f"The form was sent very often. Wait {wait}, then send it again."
    if isinstance(error, TooLarge) or error.detail == ALONE:
        notice = error.detail
    sent = QueryDict() if isinstance(error, TooLarge) else request.POST
    fields = FormFields(signature, sent)
    response = form_page(request, widget, fields, device=device, notice=notice, status=error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response
