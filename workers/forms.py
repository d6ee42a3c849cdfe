"""The form that sends a file to be scored."""

from collections import defaultdict
from typing import Any

from django import forms

from models_hub.models import Architecture, Deployment, Version
from portal.access import Caller, Permission

Choices = list[tuple[str, list[tuple[str, str]]]]


class JobForm(forms.Form):
    """Which version scores which file. The file itself goes through ``portal.uploads``."""

    version = forms.ChoiceField(
        label="Model and version", help_text="The live version, unless you pick another one."
    )
    file = forms.FileField(help_text="One row for each prediction, with the model’s columns.")
    key = forms.CharField(
        required=False,
        max_length=200,
        label="Your id column",
        help_text="Its values are kept beside the predictions, to look rows up by.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, choices: Choices, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField


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
