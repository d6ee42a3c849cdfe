"""What Acme says about its model's questions and its widget."""

from typing import Any

from demo.data import CITIES, EDUCATION, LEVELS
from predictions.actions import WidgetSettings

MODEL, UNIT = "salary", "EUR per year"

# The pipeline knows the choices in the order of the alphabet; people expect another.
CHANGES: list[dict[str, Any]] = [
    {"name": "role", "label": "Role"},
    {"name": "level", "label": "Level", "choices": list(LEVELS)},
    {"name": "department", "label": "Department"},
    {"name": "city", "label": "City", "choices": list(CITIES), "help": "Where the office is."},
    {"name": "education", "label": "Highest degree", "choices": list(EDUCATION)},
    {
        "name": "years_of_experience",
        "label": "Years of experience",
        "unit": "years",
        "help": "In this kind of work, anywhere.",
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
