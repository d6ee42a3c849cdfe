"""Uploading a version: with progress where scripts run, as a plain form where they don't."""

from django import forms
from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from models_hub.actions import upload_version
from models_hub.doors import get_model_for
from models_hub.models import HostedModel, Version
from models_hub.views.frame import show
from portal.access import Permission
from portal.error_pages import problem_json
from portal.errors import BerthError, Invalid, TooLarge
from portal.pages import PageRequest, page, refuse
from portal.uploads import received

HOW_TO_SAVE = """import joblib

pipeline.fit(X, y)  # a scikit-learn Pipeline, fitted on columns with names
joblib.dump(pipeline, "model.joblib", compress=3)"""


class UploadForm(forms.Form):
    """The file, and what is good to know of it. The files themselves go through
    ``portal.uploads``: here they only have a label."""

    artifact = forms.FileField(
        label="Pipeline", help_text="The fitted pipeline with all its preparation steps in it."
    )
    sample = forms.FileField(
        required=False,
        label="Sample",
        help_text="Some hundred rows of the data it was trained on. They show what values to"
        " expect, and the answers are compared on them. They are kept with the version.",
    )
    target = forms.CharField(
        required=False,
        max_length=200,
        label="Column to predict",
        help_text="Its name in the sample, if the sample holds it.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    notes = forms.CharField(
        required=False,
        max_length=10_000,
        help_text="What is new in this version.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@page
def upload(request: PageRequest, slug: str) -> HttpResponse:
    """The form, and what comes of it: a version being inspected."""
    request.caller.require(Permission.PUBLISH)
    model = get_model_for(request.caller, slug)
    if request.method != "POST":
        return _form(request, model, UploadForm())
    try:
        version = _take(request, model)
    except BerthError as error:
        return _refused(request, model, error)
    place = reverse("version", args=[slug, version.number])
    if _wants_json(request):
        return JsonResponse({"location": place}, status=201)
    return redirect(place)


def _take(request: PageRequest, model: HostedModel) -> Version:
    """Store what came. Raises a BerthError whose pointer names the field at fault."""
    try:
        artifact, sample = received(request, "artifact"), received(request, "sample")
        if artifact is None:
            raise Invalid.field("artifact", "required", "Choose the file of the pipeline.")
        target, notes = (request.POST.get(name, "").strip() for name in ("target", "notes"))
        return upload_version(
            request.caller, model.slug, artifact, sample, target=target, notes=notes
        )
    except TooLarge as error:
        field = getattr(request, "too_large", "artifact")
        error.errors = Invalid.field(field, error.kind, error.detail).errors
        raise


def _wants_json(request: PageRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _refused(request: PageRequest, model: HostedModel, error: BerthError) -> HttpResponse:
    if _wants_json(request):
        return problem_json(request, error)
    form = UploadForm(request.POST, request.FILES)
    form.errors.clear()
    refuse(form, error, instead="artifact")
    return _form(request, model, form, error.status)


def _form(
    request: PageRequest, model: HostedModel, form: UploadForm, status: int = 200
) -> HttpResponse:
    return show(
        request,
        "models_hub/upload.html",
        model,
        "versions",
        status=status,
        form=form,
        most=settings.MAX_ARTIFACT_BYTES,
        artifact_note=(
            f".joblib, .pkl, .skops or .onnx, at most {settings.MAX_ARTIFACT_BYTES >> 20} MB."
        ),
        sample_note=f"CSV or Parquet, at most {settings.MAX_SAMPLE_BYTES >> 20} MB.",
        how_to_save=HOW_TO_SAVE,
    )
