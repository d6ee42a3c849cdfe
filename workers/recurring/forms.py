"""The form of a recurring job. Only shapes; ``plans`` judges."""

from collections import defaultdict
from typing import Any

from django import forms

from workers.forms import Choices, key_field
from workers.models import Schedule
from workers.recurring.timetable import Every, zones
from workers.recurring_models import WEEKDAYS

EVERY = [(Every.DAY, "Day"), (Every.WEEK, "Week"), (Every.MONTH, "Month")]


class ScheduleForm(forms.Form):
    """``model``: a model's slug for its live version of the time, or slug, space and number."""

    name = forms.CharField(max_length=120, help_text="What it is for, such as “Payroll forecast”.")
    model = forms.ChoiceField(
        label="Model and version",
        help_text="The live version is picked at each run, unless you fix one.",
    )
    file = forms.FileField(help_text="It is kept, and scored anew each time.")
    key = key_field()
    every = forms.ChoiceField(choices=EVERY, initial=Every.DAY, widget=forms.RadioSelect)
    weekday = forms.ChoiceField(
        label="On", choices=[(day, day.title()) for day in WEEKDAYS], required=False
    )
    day = forms.IntegerField(
        label="On day",
        min_value=1,
        max_value=31,
        initial=1,
        required=False,
        help_text="The last day of a month that is shorter.",
    )
    at = forms.TimeField(
        label="At",
        initial="02:30",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="Where the clocks skip it, the next moment; where they show it twice, once.",
    )
    zone = forms.ChoiceField(label="Time zone", initial="UTC")
    mail = forms.BooleanField(required=False, initial=True, label="Tell me by mail how it went")

    def __init__(self, choices: Choices, *args: Any, guess: bool = False, **kwargs: Any) -> None:
        """``guess``: a script may set the zone to the browser's own."""
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = _with_live(choices)  # type: ignore[attr-defined]  # a choice field
        self.fields["zone"].choices = _by_region()  # type: ignore[attr-defined]  # a choice field
        if guess:
            self.fields["zone"].widget.attrs["data-zone"] = ""


def _with_live(choices: Choices) -> Choices:
    """Before each model's versions: whichever is live."""
    groups: Choices = []
    for name, lines in choices:
        slug = lines[0][0].split()[0]
        groups.append((name, [(slug, f"{name}, the live version of the time"), *lines]))
    return groups


def _by_region() -> list[tuple[str, Any]]:
    regions: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for zone in zones():
        region, slash, _ = zone.partition("/")
        regions[region if slash else "Others"].append((zone, zone.replace("_", " ")))
    return [(str(region), lines) for region, lines in sorted(regions.items())]


def initial_of(schedule: Schedule) -> dict[str, Any]:
    """What the form of an existing one begins with."""
    slug = schedule.model.slug
    return {
        "name": schedule.name,
        "model": f"{slug} {schedule.version.number}" if schedule.version else slug,
        "key": schedule.key_column,
        "every": schedule.every,
        "weekday": WEEKDAYS[schedule.weekday],
        "day": schedule.day,
        "at": schedule.at,
        "zone": schedule.zone,
        "mail": schedule.mail,
    }
