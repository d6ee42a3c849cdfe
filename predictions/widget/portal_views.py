"""The portal's pages about widgets: the list, a new one, one with its settings and its code."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import escape

from models_hub.doors import models_for
from models_hub.models import HostedModel
from portal.access import Caller, Permission
from portal.errors import BerthError
from portal.pages import PageRequest, address, deed, page, refuse
from predictions import actions
from predictions.actions import WidgetSettings, model_of
from predictions.doors import get_widget_for
from predictions.models import Widget
from predictions.widget.facts import WIDGETS

FIRST_PROMOTED = ("-", "The first model that is promoted")  # no slug is a hyphen alone


@dataclass(frozen=True, slots=True)
class Line:
    """A widget in the list, with the model that answers."""

    widget: Widget
    model: HostedModel | None


class NewWidgetForm(forms.Form):
    """A widget's name and model."""

    name = forms.CharField(
        max_length=80,
        help_text="For your colleagues: where it will stand. Applicants don’t see it.",
    )
    model = forms.ChoiceField(label="Which model answers")

    def __init__(self, caller: Caller, data: object = None, **more: Any) -> None:
        super().__init__(data, **more)  # type: ignore[arg-type]  # request.POST or None
        offered = [(model.slug, model.name) for model in models_for(caller)]
        self.fields["model"].choices = [FIRST_PROMOTED, *offered]  # type: ignore[attr-defined]  # a choice field

    def clean_model(self) -> str:
        """The slug; empty for the first promoted one."""
        return str(self.cleaned_data["model"]).removeprefix(FIRST_PROMOTED[0])


class SettingsForm(NewWidgetForm):
    """What applicants read, and which sites may show it."""

    name = None  # type: ignore[assignment]  # Django's way to leave a field of the parent out
    title = forms.CharField(
        required=False, max_length=120, label="Heading", help_text="Empty: the model’s name."
    )
    intro = forms.CharField(
        required=False,
        max_length=2_000,
        label="Text above the questions",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    button = forms.CharField(
        required=False, max_length=60, label="Button", help_text="Empty: “Show my estimate”."
    )
    contact = forms.CharField(
        required=False,
        max_length=200,
        label="Who answers questions",
        help_text="An e-mail address, a page (https://…) or words. Applicants see it.",
    )
    origins = forms.CharField(
        required=False,
        label="Sites that may show it",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
        help_text="One a line, like https://careers.example.com. No other site can show it.",
    )


@page
def widgets(request: PageRequest) -> HttpResponse:
    """All widgets."""
    lines = [Line(widget, model_of(widget)) for widget in actions.widgets_for(request.caller)]
    return render(request, "predictions/widgets.html", {"nav": "widgets", "lines": lines})


@page
def widget_new(request: PageRequest) -> HttpResponse:
    """Ask for a name; the widget then has a key and a page of its own."""
    request.caller.require(Permission.MANAGE)  # told before the form is filled in
    form = NewWidgetForm(request.caller, request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        try:
            new = actions.create_widget(request.caller, chosen["name"], chosen["model"])
        except BerthError as error:
            refuse(form, error)
        else:
            return redirect("widget", new.key_id)
    status = 422 if form.errors else 200
    context = {"nav": "widgets", "form": form}
    return render(request, "predictions/widget_new.html", context, status=status)


@page
def widget(request: PageRequest, key: str) -> HttpResponse:
    """Settings, preview, code to copy, and whether a site has shown it."""
    found = get_widget_for(request.caller, key)
    if request.method == "POST":
        request.caller.require(Permission.MANAGE)
    form = SettingsForm(request.caller, request.POST or None, initial=_initial(found))
    if request.method == "POST" and form.is_valid() and _saved(request, key, form):
        messages.success(request, "Saved. It shows everywhere within a few seconds.")
        return redirect("widget", key)
    status = 422 if form.errors else 200
    context = {"nav": "widgets", "form": form, **_shown(request, found)}
    return render(request, "predictions/widget_page.html", context, status=status)


@deed
def widget_close(request: PageRequest, key: str) -> HttpResponse:
    """The widget stops answering for good."""
    closed = actions.close_widget(request.caller, key)
    messages.success(request, f"“{closed.key.name}” is closed. Make a new widget to go on.")
    return redirect("widgets")


def _initial(found: Widget) -> dict[str, str]:
    return {
        "model": found.model.slug if found.model else FIRST_PROMOTED[0],
        "title": found.title,
        "intro": found.intro,
        "button": found.button,
        "contact": found.contact,
        "origins": "\n".join(found.origins),
    }


def _saved(request: PageRequest, key: str, form: SettingsForm) -> bool:
    said = {**form.cleaned_data, "origins": form.cleaned_data["origins"].splitlines()}
    try:
        actions.update_widget(request.caller, key, WidgetSettings(**said))
    except BerthError as error:
        refuse(form, error)
        return False
    WIDGETS.forget(key)
    return True


def _shown(request: PageRequest, found: Widget) -> dict[str, Any]:
    """What the page shows beside the form: the model that answers, and what to copy."""
    home, model = address(request), model_of(found)
    title = found.title or (model.name if model else "Estimate")
    hosted = home + reverse("applicant", args=[found.key_id])
    code = (
        f'<script type="module" src="{escape(home + reverse("widget-loader"))}"></script>\n'
        f'<berth-widget key="{escape(found.key_id)}" title="{escape(title)}">\n'
        f'  <a href="{escape(hosted)}">{escape(title)}</a>\n'
        "</berth-widget>"
    )  # markup to read and to copy: the template escapes it once more
    return {
        "widget": found,
        "model": model,
        "heading": title,
        "hosted": hosted,
        "code": code,
        "policy": f"script-src {home}\nframe-src {home}",
    }
