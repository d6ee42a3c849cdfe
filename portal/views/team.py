"""People: who is in, who is invited, who does what."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from portal import actions
from portal.access import Permission
from portal.errors import BerthError, Conflict, NotFound
from portal.middleware import SESSION_KEY
from portal.models import Role
from portal.pages import PageRequest, address, deed, page, refuse
from portal.views.forms import ROLES, InviteForm


@page
def team(request: PageRequest) -> HttpResponse:
    """Members, and the invitations that can still be accepted."""
    caller = request.caller
    manages = Permission.MANAGE in caller.permissions
    context = {
        "nav": "team",
        "members": actions.members_for(caller),
        "invitations": actions.invitations_for(caller) if manages else [],
        "roles": [(Role(role), what) for role, what in ROLES.items()],
    }
    return render(request, "portal/team.html", context)


@page
@never_cache
def invite(request: PageRequest) -> HttpResponse:
    """Ask whom to invite; the answer shows the link this once."""
    actions.invitations_for(request.caller)  # tells who may not before they fill in a form
    form = InviteForm(request.caller, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitation, secret = actions.invite(request.caller, **form.cleaned_data)
        except BerthError as error:
            refuse(form, error, instead="email" if isinstance(error, Conflict) else None)
        else:
            link = address(request) + reverse("invitation", args=[secret])
            shown = {"nav": "team", "invitation": invitation, "link": link}
            return render(request, "portal/invited.html", shown)
    status = 422 if form.errors else 200
    return render(request, "portal/invite.html", {"nav": "team", "form": form}, status=status)


@deed
def invitation_revoke(request: PageRequest, invitation_id: UUID) -> HttpResponse:
    """The link stops working."""
    invitation = actions.revoke_invitation(request.caller, invitation_id)
    messages.success(request, f"The invitation for {invitation.email} is withdrawn.")
    return redirect("team")


@deed
def member_role(request: PageRequest, member_id: UUID) -> HttpResponse:
    """Give a member another role."""
    try:
        member = actions.change_role(request.caller, member_id, request.POST.get("role", ""))
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{member.user} is {member.get_role_display().lower()} now.")
    return redirect("team")


@deed
def member_remove(request: PageRequest, member_id: UUID) -> HttpResponse:
    """The person is no member any more."""
    try:
        member = actions.remove_member(request.caller, member_id)
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{member.user} is no member any more.")
    return redirect("team")


@deed
def leave(request: PageRequest) -> HttpResponse:
    """The person who asks is no member any more."""
    try:
        actions.leave(request.caller)
    except Conflict as error:
        messages.error(request, f"{error.detail} Make somebody else an owner first.")
        return redirect("team")
    request.session.pop(SESSION_KEY, None)
    return redirect("home")


@deed
def switch(request: PageRequest) -> HttpResponse:
    """Work in another of one's organisations from now on."""
    wanted = request.POST.get("organisation", "")
    chosen = next((o for o in request.organisations if o.slug == wanted), None)
    if chosen is None:
        raise NotFound("organisation")
    request.session[SESSION_KEY] = str(chosen.pk)
    return redirect("home")
