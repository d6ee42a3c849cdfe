"""What Acme says about its model's questions and its widget."""

from typing import Any

from demo.data import CITIES, EDUCATION, LEVELS
from predictions.actions import WidgetSettings

MODEL, UNIT = "salary", "EUR per year"

# The pipeline knows the choices in the order of the alphabet; people expect another. It would
# also fill in a missing role or level; Acme asks for them.
ASKED: dict[str, Any] = {"required": True, "default": None}
CHANGES: list[dict[str, Any]] = [
    {"name": "role", "label": "Role", **ASKED},
    {"name": "level", "label": "Level", "choices": list(LEVELS), **ASKED},
    {"name": "department", "label": "Department", **ASKED},
    {"name": "city", "label": "City", "choices": list(CITIES), "help": "Where the office is."},
    {"name": "education", "label": "Highest degree", "choices": list(EDUCATION)},
    {
        "name": "years_of_experience",
        "label": "Years of experience",
        "unit": "years",
        "help": "In this kind of work, anywhere.",
        **ASKED,
    },
    {"name": "remote", "label": "Works from home", "help": "More than half of the time."},
]

WIDGET = WidgetSettings(
    model=MODEL,
    title="What could you earn at Acme?",
    intro="Seven questions, no name and no e-mail address.",
    button="Show my estimate",
    contact="people@acme.example",
    origins=("https://careers.acme.example",),
)
