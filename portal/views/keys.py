"""Keys: the list, a new one shown once, the end of one."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from portal import actions
from portal.errors import BerthError
from portal.pages import PageRequest, deed, page, refuse
from portal.views.forms import KeyForm


@page
def keys(request: PageRequest) -> HttpResponse:
    """The organisation's keys, those that work first."""
    rows = sorted(actions.keys_for(request.caller), key=lambda key: key.revoked is not None)
    return render(request, "portal/keys.html", {"nav": "keys", "keys": rows})


@page
@never_cache
def key_new(request: PageRequest) -> HttpResponse:
    """Ask for a name and scopes; the answer shows the key's text this once."""
    actions.keys_for(request.caller)  # who may not make one is told before filling in a form
    form = KeyForm(request.caller, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            new = actions.create_key(request.caller, **form.cleaned_data)
        except BerthError as error:
            refuse(form, error)
        else:
            shown = {"nav": "keys", "key": new.row, "secret": new.text}
            return render(request, "portal/key_created.html", shown)
    status = 422 if form.errors else 200
    return render(request, "portal/key_new.html", {"nav": "keys", "form": form}, status=status)


@deed
def key_revoke(request: PageRequest, key_id: str) -> HttpResponse:
    """The key stops working."""
    key = actions.revoke_key(request.caller, key_id)
    messages.success(request, f"“{key.name}” is revoked. It stops working within five seconds.")
    return redirect("keys")
