"""The form that sends a file to be scored."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django import forms
from django.template.defaultfilters import filesizeformat

from models_hub import incoming
from models_hub.models import Architecture, Deployment, Version
from portal.access import Caller, Permission
from portal.errors import Unavailable
from workers.options import DELIMITERS, ENCODINGS

Choices = list[tuple[str, list[tuple[str, str]]]]
Sources = list[tuple[str, str]]
FOUND_OUT = ("", "Found out from the file")


def _named(choices: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, name.capitalize()) for name in choices]


def key_field() -> forms.CharField:
    """The name of the caller's own id column."""
    return forms.CharField(
        required=False,
        max_length=200,
        label="Your id column",
        help_text="Its values are kept beside the predictions, to look rows up by.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )


class JobForm(forms.Form):
    """Which version scores which file, and how the file is read. A file that is sent goes through
    ``portal.uploads``."""

    version = forms.ChoiceField(
        label="Model and version", help_text="The live version, unless you pick another one."
    )
    file = forms.FileField(help_text="One row for each prediction, with the model’s columns.")
    source = forms.ChoiceField(required=False, label="Or a file in your folder")
    key = key_field()
    encoding = forms.ChoiceField(required=False, choices=[FOUND_OUT, *_named(ENCODINGS)])
    delimiter = forms.ChoiceField(
        required=False, choices=[FOUND_OUT, *_named(DELIMITERS)], label="Delimiter"
    )
    decimal = forms.ChoiceField(
        required=False,
        choices=[FOUND_OUT, (".", "Point: 1234.5"), (",", "Comma: 1.234,5")],
        label="Decimal sign",
    )
    retry_of = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, choices: Choices, sources: Sources, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField
        if sources:
            self.fields["file"].required = False
            self.fields["source"].choices = [("", "None"), *sources]  # type: ignore[attr-defined]  # one too
        else:
            del self.fields["source"]


def source_choices() -> Sources:
    """The files in the folder of the organisation in scope; none while the storage is away."""
    try:
        return [
            (file.source, f"{file.source} ({filesizeformat(file.size)})")
            for file in incoming.listed()
        ]
    except Unavailable:
        return []


def version_choices(caller: Caller) -> Choices:
    """The ready versions of the models whose offline predictions are on, by model, the live one
    first. A value is the model's slug, a space and the version's number."""
    caller.require(Permission.READ)
    active = Deployment.objects.filter(architecture=Architecture.OFFLINE, is_active=True)
    ready = (
        Version.objects.filter(
            status=Version.Status.READY, model__in=active.values("model"), model__live__isnull=False
        )
        .select_related("model")
        .order_by("model__name", "-number")
    )
    groups: dict[str, list[tuple[bool, str, str]]] = defaultdict(list)
    for version in ready:
        live = version.pk == version.model.live_id
        text = f"{version.model.name}, version {version.number}{' (live)' if live else ''}"
        value = f"{version.model.slug} {version.number}"
        groups[version.model.name].append((not live, value, text))
    return [
        (name, [(value, text) for _, value, text in sorted(lines, key=lambda line: line[0])])
        for name, lines in groups.items()
    ]
