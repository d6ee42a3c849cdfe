"""Correcting a signature: a small form for each field; what was changed becomes a new version."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect

from berth.problems import InvalidSignature, Problem
from berth.signature import Field, Scalar, Signature
from models_hub.actions import correct_signature
from models_hub.doors import get_version_for
from models_hub.models import Version
from models_hub.views.frame import show
from portal.access import Permission
from portal.errors import Conflict
from portal.pages import PageRequest, page

_TRUTH = {"true": True, "false": False}
_ENFORCE = {
    "choices": "Refuse what is not a choice",
    "range": "Refuse what lies outside the range",
    "integer": "Refuse fractions",
}
_MAY_ENFORCE = {
    "number": ("choices", "range"),
    "integer": ("choices", "range", "integer"),
    "string": ("choices",),
    "boolean": (),
}


class FieldForm(forms.Form):
    """What a person may say of one input. ``changes`` is what they said anew."""

    label = forms.CharField(required=False, max_length=200)
    unit = forms.CharField(required=False, max_length=60)
    help = forms.CharField(required=False, max_length=500)
    choices = forms.CharField(
        required=False,
        help_text="One a line, in the order of the form. Empty: anything.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    minimum = forms.FloatField(required=False)
    maximum = forms.FloatField(required=False)
    default = forms.CharField(required=False, max_length=2000)
    required = forms.BooleanField(
        required=False, help_text="Otherwise it may be left out, and the default stands in."
    )
    enforced = forms.MultipleChoiceField(
        required=False,
        label="Rules",
        help_text="What isn’t ruled here only warns.",
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, field: Field, index: int, data: QueryDict | None = None) -> None:
        super().__init__(data, prefix=f"f{index}", initial=_initial(field))
        self.field = field
        self._fit()

    def _fit(self) -> None:
        """Leave out what a field of this type can't have."""
        kind, rules = self.field.type, _MAY_ENFORCE[self.field.type]
        self.fields["label"].widget.attrs["placeholder"] = self.field.name
        if kind in ("string", "boolean"):
            del self.fields["minimum"], self.fields["maximum"]
        if kind == "boolean":
            del self.fields["choices"], self.fields["enforced"]
            options = [("", "None"), ("true", "Yes"), ("false", "No")]
            self.fields["default"] = forms.ChoiceField(required=False, choices=options)
            return
        enforced = self.fields["enforced"]
        assert isinstance(enforced, forms.MultipleChoiceField)
        enforced.choices = [(rule, _ENFORCE[rule]) for rule in rules]

    def clean_choices(self) -> list[Scalar] | None:
        lines = [line.strip() for line in self.cleaned_data["choices"].splitlines()]
        return [_scalar(self.field, line) for line in lines if line] or None

    def clean_default(self) -> Scalar | None:
        text = self.cleaned_data["default"].strip()
        return _scalar(self.field, text) if text else None

    def clean_enforced(self) -> list[str]:
        return sorted(self.cleaned_data["enforced"])

    @property
    def changes(self) -> dict[str, Any]:
        """The keys whose values a person touched and which differ from the field's present ones."""
        now = self.field.to_json()
        touched = {k: self.cleaned_data[k] for k in self.changed_data if k in self.cleaned_data}
        return {k: value for k, value in touched.items() if value != now[k]}

    @property
    def is_open(self) -> bool:
        """Should the page show it unfolded?"""
        return bool(self.errors)


def _initial(field: Field) -> dict[str, Any]:
    default = field.default
    return {
        **field.to_json(),
        "choices": "\n".join(_text(choice) for choice in field.choices or ()),
        "default": "" if default is None else _text(default),
        "minimum": None if field.minimum is None else _text(field.minimum),
        "maximum": None if field.maximum is None else _text(field.maximum),
    }


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _scalar(field: Field, text: str) -> Scalar:
    """The text as a value of the field's type. Raises ValidationError with the way out."""
    read: Mapping[str, Callable[[str], Scalar]] = {
        "string": str,
        "boolean": lambda t: _TRUTH[t],
        "integer": lambda t: int(t) if float(t) % 1 == 0 and t.lstrip("+-").isdigit() else float(t),
        "number": float,
    }
    try:
        return read[field.type](text)
    except (ValueError, KeyError) as error:
        raise forms.ValidationError(
            f"“{text}” is not a number. Write it like 12 or 3.5."
        ) from error


@page
def signature(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """The form of all fields; saving it seals a new version."""
    request.caller.require(Permission.PUBLISH)
    version = get_version_for(request.caller, slug, number)
    if version.status != Version.Status.READY:
        raise Conflict(f"Version {number} has no sealed signature to correct.", code="not_ready")
    data = request.POST if request.method == "POST" else None
    inputs = Signature.from_json(version.signature).inputs
    field_forms = [FieldForm(field, index, data) for index, field in enumerate(inputs)]
    problem = ""
    if data is not None and all(form.is_valid() for form in field_forms):
        changes = _changes(field_forms)
        new = _save(request, version, changes, field_forms) if changes else None
        if new is not None:
            messages.success(request, _explained(version.number, new.number))
            return redirect("version", slug, new.number)
        problem = "" if changes else "Nothing was changed, so there is nothing to save."
    return _page(request, version, field_forms, problem)


def _changes(field_forms: Sequence[FieldForm]) -> list[dict[str, Any]]:
    return [{"name": form.field.name, **form.changes} for form in field_forms if form.changes]


def _save(
    request: PageRequest,
    version: Version,
    changes: Sequence[Mapping[str, Any]],
    field_forms: Sequence[FieldForm],
) -> Version | None:
    """The new version; None when the changes contradict themselves, said beside the fields."""
    try:
        return correct_signature(request.caller, version.model.slug, version.number, changes)
    except InvalidSignature as refusal:
        by_name = {form.field.name: form for form in field_forms}
        for problem in refusal.errors:
            _blame(by_name, changes, problem)
        return None


def _blame(
    by_name: Mapping[str, FieldForm], changes: Sequence[Mapping[str, Any]], problem: Problem
) -> None:
    """Pointers read ``/inputs/{position in changes}/{key}``."""
    _, _, position, key, *_ = [*problem.pointer.split("/"), ""]
    form = by_name[changes[int(position)]["name"]]
    form.add_error(key if key in form.fields else None, problem.detail)


def _explained(before: int, new: int) -> str:
    return (
        f"Saved as version {new}. A sealed version never changes, so that every prediction can be"
        f" traced to what answered it: version {before} stays as it was. Promote version {new} to"
        " use it."
    )


def _next_number(version: Version) -> int:
    """What the correction's number will be, unless another version comes first."""
    newest = Version.objects.filter(model=version.model).first()
    return newest.number + 1 if newest else 1


def _page(
    request: PageRequest, version: Version, field_forms: Sequence[FieldForm], problem: str
) -> HttpResponse:
    wrong = bool(problem) or any(form.errors for form in field_forms if form.is_bound)
    return show(
        request,
        "models_hub/signature.html",
        version.model,
        "versions",
        status=422 if wrong else 200,
        version=version,
        field_forms=field_forms,
        next_number=_next_number(version),
        problem=problem,
        wrong=wrong,
    )
