"""The pages of webhooks: all of them, a new one with its secret, one with its deliveries."""

from collections.abc import Callable
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from portal.errors import BerthError, Conflict
from portal.pages import PageRequest, deed, page, refuse
from workers.models import Delivery, Endpoint
from workers.told_models import Event
from workers.webhooks import actions
from workers.webhooks.doors import deliveries_of, endpoints_for, get_endpoint_for

SHOWN = 50
CHIPS = {
    Delivery.State.PENDING: "busy",
    Delivery.State.SENT: "good",
    Delivery.State.DEAD: "bad",
}


class EndpointForm(forms.Form):
    """Which address is called, and when."""

    url = forms.CharField(
        label="Address",
        max_length=500,
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
        help_text="On the public internet, by https. It answers 2xx within 15 seconds.",
    )
    events = forms.MultipleChoiceField(
        label="When",
        choices=Event.choices,
        initial=Event.values,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )


@page
def webhooks(request: PageRequest) -> HttpResponse:
    """All of them, the newest first."""
    rows = endpoints_for(request.caller)
    return render(request, "workers/webhooks.html", {"nav": "settings", "webhooks": rows})


@page
@never_cache
def webhook_new(request: PageRequest) -> HttpResponse:
    """Ask for an address; the answer shows the secret this once."""
    endpoints_for(request.caller)
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            new = actions.create_endpoint(request.caller, **form.cleaned_data)
        except BerthError as error:
            refuse(form, error)
        else:
            return _secret(request, new, "The webhook’s secret")
    return _form(request, form)


@page
def webhook_edit(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """Another address or other events."""
    endpoint = get_endpoint_for(request.caller, endpoint_id)
    initial = {"url": endpoint.url, "events": endpoint.events}
    form = EndpointForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_endpoint(request.caller, endpoint_id, **form.cleaned_data)
        except BerthError as error:
            refuse(form, error)
        else:
            messages.success(request, "The webhook is changed.")
            return redirect("webhook", endpoint_id)
    return _form(request, form, endpoint)


def _form(
    request: PageRequest, form: EndpointForm, endpoint: Endpoint | None = None
) -> HttpResponse:
    context = {"nav": "settings", "form": form, "webhook": endpoint}
    status = 422 if form.errors else 200
    return render(request, "workers/webhook_form.html", context, status=status)


def _secret(request: PageRequest, new: actions.NewSecret, title: str) -> HttpResponse:
    context = {"nav": "settings", "webhook": new.row, "secret": new.secret, "title": title}
    return render(request, "workers/webhook_secret.html", context)


@page
def webhook(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """One: whether it is well, and what it was sent."""
    endpoint = get_endpoint_for(request.caller, endpoint_id)
    rows = deliveries_of(endpoint)[:SHOWN]
    context = {
        "nav": "settings",
        "webhook": endpoint,
        "events": [Event(event).label for event in endpoint.events],
        "deliveries": [(row, CHIPS[Delivery.State(row.state)]) for row in rows],
        "shown": SHOWN,
    }
    return render(request, "workers/webhook.html", context)


@deed
@never_cache
def webhook_rotate(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """A new secret, shown this once."""
    new = actions.rotate_secret(request.caller, endpoint_id)
    return _secret(request, new, "The webhook’s new secret")


@deed
def webhook_enable(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """Call it again."""
    actions.enable_endpoint(request.caller, endpoint_id)
    messages.success(request, "It is called again from now on. Send again what it missed.")
    return redirect("webhook", endpoint_id)


@deed
def webhook_disable(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """Call it no more."""
    actions.disable_endpoint(request.caller, endpoint_id)
    messages.success(request, "It is called no more.")
    return redirect("webhook", endpoint_id)


@deed
def webhook_test(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """Send a test message."""
    return _sent(request, endpoint_id, lambda: actions.send_test(request.caller, endpoint_id))


@deed
def delivery_resend(request: PageRequest, endpoint_id: UUID, delivery_id: UUID) -> HttpResponse:
    """Send a message again."""
    return _sent(
        request, endpoint_id, lambda: actions.resend(request.caller, endpoint_id, delivery_id)
    )


def _sent(request: PageRequest, endpoint_id: UUID, verb: Callable[[], Delivery]) -> HttpResponse:
    try:
        verb()
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "It is on its way. Look again in a moment.")
    return redirect("webhook", endpoint_id)


@deed
def webhook_delete(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """It and its deliveries go."""
    actions.delete_endpoint(request.caller, endpoint_id)
    messages.success(request, "The webhook is deleted.")
    return redirect("webhooks")
