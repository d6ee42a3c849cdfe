"""The list of models, a new one, and a model at a glance."""

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify

from models_hub.actions import create_model
from models_hub.doors import deployments_of, get_model_for, models_for
from models_hub.models import MADE_LIVE, Architecture, Deployment, HostedModel, ModelEvent, Version
from models_hub.views.chart import chart_of
from models_hub.views.frame import Chip, show, status_of
from portal.access import Permission
from portal.errors import BerthError
from portal.pages import PageRequest, address, page, refuse
from predictions.architectures import ARCHITECTURES
from predictions.figures import by_hour, last_day

SHORT = 5
MARKS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A model in the list."""

    model: HostedModel
    newest: Version | None
    chips: list[Chip]
    deployed: list[str]


@page
def models(request: PageRequest) -> HttpResponse:
    """Every model of the organisation."""
    return render(request, "models_hub/models.html", {"nav": "models", "lines": _lines(request)})


def _lines(request: PageRequest) -> list[Line]:
    newest_id = Version.objects.filter(model=OuterRef("pk")).order_by("-number").values("pk")[:1]
    rows = list(models_for(request.caller).annotate(newest_id=Subquery(newest_id)))
    newest = Version.objects.in_bulk([row.newest_id for row in rows if row.newest_id])
    deployed = _active_architectures()
    return [
        Line(
            row,
            version := newest.get(row.newest_id),
            status_of(row, version),
            deployed[row.pk] if row.live_id else [],
        )
        for row in rows
    ]


def _active_architectures() -> dict[UUID, list[str]]:
    active: dict[UUID, list[str]] = defaultdict(list)
    for deployment in Deployment.objects.filter(is_active=True).order_by("architecture"):
        active[deployment.model_id].append(str(Architecture(deployment.architecture).label))
    return active


class ModelForm(forms.Form):
    """What a new model is called, and by whom its address is read."""

    name = forms.CharField(
        max_length=120, help_text="As people read it, for example “Salary estimate”."
    )
    slug = forms.CharField(
        max_length=63,
        required=False,
        help_text="Its place in addresses: small letters, digits and hyphens. It stays as it is"
        " for good. Left empty, it is made from the name.",
        widget=forms.TextInput(
            attrs={"data-slug-of": "id_name", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    description = forms.CharField(
        required=False,
        max_length=2000,
        help_text="What it predicts, for whom, and who answers for it.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def clean(self) -> None:
        if not self.cleaned_data.get("slug"):
            self.cleaned_data["slug"] = slugify(self.cleaned_data.get("name", ""))[:63].strip("-")


@page
def model_new(request: PageRequest) -> HttpResponse:
    """A new model; then its first upload."""
    request.caller.require(Permission.PUBLISH)
    form = ModelForm(request.POST or None)
    if form.is_valid():
        try:
            model = create_model(request.caller, **form.cleaned_data)
        except BerthError as error:
            refuse(form, error, instead="slug")
        else:
            return redirect("upload", model.slug)
    status = 422 if form.errors else 200
    context = {"nav": "models", "form": form, "address": address(request)}
    return render(request, "models_hub/model_new.html", context, status=status)


@page
def model(request: PageRequest, slug: str) -> HttpResponse:
    """The model at a glance: what is live, how it does, how to call it."""
    found = get_model_for(request.caller, slug)
    embedded = deployments_of(found)["embedded"]
    made_live = ModelEvent.objects.filter(model=found, type__in=MADE_LIVE)
    return show(
        request,
        "models_hub/model.html",
        found,
        "overview",
        versions=Version.objects.filter(model=found)[:SHORT],
        figures=last_day(found.slug),
        chart=chart_of(by_hour(found.slug), made_live.order_by("-offset")[:MARKS]),
        embedded=ARCHITECTURES["embedded"].status(embedded),
        snippets=ARCHITECTURES["embedded"].usage(embedded, address(request)),
    )
