"""The page behind an invitation's link."""

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from portal import actions
from portal.errors import BerthError, NotFound
from portal.middleware import SESSION_KEY, client_address, outside_organisations
from portal.models import Invitation, User
from portal.pages import refuse
from portal.views.forms import WelcomeForm


@outside_organisations
@never_cache
@sensitive_post_parameters("password")
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """A newcomer makes an account and is in; somebody with one signs in first, then joins."""
    try:
        found = actions.find_invitation(secret)
    except NotFound:
        return render(request, "portal/invitation_gone.html", status=404)
    if request.user.is_authenticated:
        return _for_member_elsewhere(request, request.user, found, secret)
    if User.objects.filter(email=found.email).exists():
        return redirect_to_login(request.path)
    return _for_newcomer(request, found, secret)


def _for_member_elsewhere(
    request: HttpRequest, user: User, found: Invitation, secret: str
) -> HttpResponse:
    if request.method == "POST":
        actions.accept_invitation(secret, user, address=client_address(request))
        return _welcome(request, found)
    context = {"invitation": found, "is_theirs": user.email == found.email}
    return render(request, "portal/invitation.html", context)


def _for_newcomer(request: HttpRequest, found: Invitation, secret: str) -> HttpResponse:
    form = WelcomeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person = actions.accept_invitation(
                secret, None, **form.cleaned_data, address=client_address(request)
            )
        except BerthError as error:
            refuse(form, error)
        else:
            login(request, person)
            return _welcome(request, found)
    context = {"invitation": found, "form": form}
    status = 422 if form.errors else 200
    return render(request, "portal/invitation.html", context, status=status)


def _welcome(request: HttpRequest, found: Invitation) -> HttpResponse:
    request.session[SESSION_KEY] = str(found.organisation_id)
    messages.success(request, f"Welcome to {found.organisation.name}.")
    return redirect("home")
