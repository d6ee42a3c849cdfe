"""What the organisation's pages ask for. Only shapes; the verbs judge."""

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.access import DESCRIPTIONS, KEY_SCOPES, Caller, Permission
from portal.models import Role

ROLES: dict[str, str] = {
    Role.VIEWER: "Sees models, versions, jobs and the team, and tries models.",
    Role.PUBLISHER: "Also uploads, promotes and deploys models, and scores files.",
    Role.ADMIN: "Also manages keys, widgets and people, and reads the audit log.",
    Role.OWNER: "Also says what the organisation is called and who its owners are.",
}


# First words of the audit log's actions -> what they are about.
ABOUT = {
    "model": "Models",
    "version": "Versions",
    "deployment": "Deployments",
    "job": "Jobs",
    "schedule": "Recurring jobs",
    "webhook": "Webhooks",
    "erasure": "Erasures",
    "key": "Keys",
    "widget": "Widgets",
    "member": "People",
    "person": "Names of people",
    "organisation": "The organisation",
}


def _explained(name: str, what: str) -> SafeString:
    """A choice with a line below it."""
    return format_html("<span>{}<small>{}</small></span>", name, what)


class KeyForm(forms.Form):
    """A new secret key. Offers the scopes that the caller has."""

    name = forms.CharField(
        max_length=80,
        help_text="Where it will be used, so that you know later what stops when you revoke it.",
    )
    scopes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        help_text="As few as the program needs.",
        error_messages={"required": "Choose at least one scope."},
    )

    def __init__(self, caller: Caller, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # request.POST or None
        offered = [scope for scope in KEY_SCOPES if scope in caller.permissions]
        self.fields["scopes"].choices = [  # type: ignore[attr-defined]  # a choice field
            (scope.value, _explained(scope.value, DESCRIPTIONS[scope])) for scope in offered
        ]
        self.initial["scopes"] = [Permission.READ.value, Permission.PREDICT.value]


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.CharField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text="The link works only for the person with this address.",
    )
    role = forms.ChoiceField(widget=forms.RadioSelect, initial=Role.PUBLISHER)

    def __init__(self, caller: Caller, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # request.POST or None
        self.fields["role"].choices = [  # type: ignore[attr-defined]  # a choice field
            (role, _explained(str(Role(role).label), what))
            for role, what in ROLES.items()
            if role != Role.OWNER or Permission.OWN in caller.permissions
        ]


class WelcomeForm(forms.Form):
    """A newcomer's account."""

    name = forms.CharField(
        label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="12 characters or more; a few words in a row are easy to remember.",
    )


class NameForm(forms.Form):
    """The name of the organisation or of the person."""

    name = forms.CharField(max_length=120)


def _days(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"min": 1, "placeholder": "no end"}),
        error_messages={"invalid": "Days are a whole number; leave it empty for no end."},
    )


class KeepingForm(forms.Form):
    """What the organisation keeps, and how long."""

    keep_inputs = forms.BooleanField(
        label="Keep the rows of a job’s file beside its predictions",
        required=False,
        help_text="Without them a result has only the key, the prediction and the error.",
    )
    inputs_days = _days("Days that a job’s rows are kept", "Counted from its end.")
    jobs_days = _days("Days that jobs are kept", "Then a job goes whole: rows and predictions.")
    live_days = _days(
        "Days that live predictions are kept", "Counted from the answer: question and answer go."
    )


class EraseForm(forms.Form):
    """Whose rows to erase."""

    key = forms.CharField(
        label="Key",
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="As it stands in the id column of the files.",
    )


class AuditFilter(forms.Form):
    """Which entries of the audit log to show. Empty fields filter nothing."""

    actor = forms.CharField(required=False, max_length=254, label="Who")
    about = forms.ChoiceField(
        required=False, label="What", choices=[("", "Everything"), *ABOUT.items()]
    )
    since = forms.DateField(
        required=False, label="From", widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        required=False, label="To", widget=forms.DateInput(attrs={"type": "date"})
    )
