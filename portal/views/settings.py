"""What an organisation and a person can set, and what they should know."""

import base64
from collections.abc import Callable

from django.conf import settings as conf
from django.contrib import messages
from django.forms import Form, model_to_dict
from django.http import HttpResponse
from django.shortcuts import redirect, render

from models_hub import standing
from models_hub.quota import stored_bytes
from models_hub.sealing import signing_key
from portal import actions
from portal.access import Caller
from portal.errors import Invalid
from portal.models import Organisation
from portal.pages import PageRequest, deed, page, refuse
from portal.tenancy import current
from portal.views.forms import EraseForm, KeepingForm, NameForm
from workers import relayed
from workers.erasures import erasures_for

ERASURES = 5


@page
def settings(request: PageRequest) -> HttpResponse:
    """The organisation's name and limits, the installation's signing key, the person's name."""
    return show(request)


@deed
def organisation_name(request: PageRequest) -> HttpResponse:
    """Give the organisation another name."""
    form = NameForm(request.POST, prefix="organisation")
    if _named(request, form, actions.rename_organisation):
        messages.success(request, f"The organisation is “{form.cleaned_data['name']}” now.")
        return redirect("settings")
    return show(request, organisation_form=form)


@deed
def own_code(request: PageRequest) -> HttpResponse:
    """Let uploads bring code of their own, or no longer."""
    allowed = request.POST.get("allowed") == "yes"
    actions.allow_own_code(request.caller, allowed)
    now = "may bring code of their own now" if allowed else "may not bring code of their own"
    messages.success(request, f"Uploads {now}.")
    return redirect("settings")


@deed
def person_mails(request: PageRequest) -> HttpResponse:
    """Be told by mail when one's jobs end, or no longer."""
    wanted = request.POST.get("wanted") == "yes"
    actions.want_job_mails(request.caller, wanted)
    now = "You are told by mail how your jobs ended." if wanted else "You get no mail about jobs."
    messages.success(request, now)
    return redirect("settings")


@deed
def person_name(request: PageRequest) -> HttpResponse:
    """Give oneself another name."""
    form = NameForm(request.POST, prefix="person")
    if _named(request, form, actions.rename_person):
        messages.success(request, f"You are “{form.cleaned_data['name']}” now.")
        return redirect("settings")
    return show(request, person_form=form)


def _named(request: PageRequest, form: NameForm, verb: Callable[[Caller, str], object]) -> bool:
    if not form.is_valid():
        return False
    try:
        verb(request.caller, form.cleaned_data["name"])
    except Invalid as error:
        refuse(form, error)
        return False
    return True


def show(request: PageRequest, **forms: Form) -> HttpResponse:
    """The page; ``forms`` are those that were refused."""
    organisation = Organisation.objects.get(pk=current())
    context = {
        "nav": "settings",
        "organisation": organisation,
        "organisation_form": NameForm(initial={"name": organisation.name}, prefix="organisation"),
        "person_form": NameForm(initial={"name": request.user.name}, prefix="person"),
        "keeping_form": KeepingForm(initial=model_to_dict(organisation), prefix="keeping"),
        "erase_form": EraseForm(),
        "erasures": erasures_for(request.caller)[:ERASURES] if request.caller.may["manage"] else [],
        "stored": stored_bytes(),
        "signing_key": _public_key(),
        "sandbox": standing.standing(),
        "kafka": relayed.standing(),
        "own_code_offered": conf.ENV.own_code,
        **forms,
    }
    return render(request, "portal/settings.html", context, status=422 if forms else 200)


def _public_key() -> str:
    """The installation's Ed25519 public key (RFC 8032), raw, in base64."""
    return base64.b64encode(signing_key().public_key().public_bytes_raw()).decode()
