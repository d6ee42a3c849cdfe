"""What the organisation keeps, and whom it forgets: the forms of the settings page."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from portal.actions import set_keeping
from portal.errors import Invalid
from portal.pages import PageRequest, deed, refuse
from portal.views.forms import EraseForm, KeepingForm
from portal.views.settings import show
from workers.erasures import request_erasure


@deed
def keeping(request: PageRequest) -> HttpResponse:
    """Keep inputs or not, and everything for so many days."""
    form = KeepingForm(request.POST, prefix="keeping")
    if not form.is_valid():
        return show(request, keeping_form=form)
    try:
        set_keeping(request.caller, **form.cleaned_data)
    except Invalid as error:
        refuse(form, error)
        return show(request, keeping_form=form)
    messages.success(request, "Saved. What is past its time is deleted soon.")
    return redirect("settings")


@deed
def erase(request: PageRequest) -> HttpResponse:
    """Erase a key from every job."""
    form = EraseForm(request.POST)
    if not form.is_valid():
        return show(request, erase_form=form)
    try:
        request_erasure(request.caller, form.cleaned_data["key"])
    except Invalid as error:
        refuse(form, error)
        return show(request, erase_form=form)
    messages.success(request, "The key is being erased; the list below says when it is done.")
    return redirect("settings")
