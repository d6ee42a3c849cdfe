"""What a browser's tests find in a fresh Berth; run inside it by ``manage.py shell``."""

import json
from collections.abc import Sequence

import pytest
from sklearn.linear_model import LinearRegression

from berth.field import Field
from berth.signature import Output, Signature
from models_hub.browser import measuring
from models_hub.browser.drafting import NotInLane
from portal import tenancy
from portal.access import system
from portal.actions import create_organisation
from predictions.actions import WidgetSettings, create_widget, update_widget
from predictions.in_browser import set_in_browser
from tests.runtime.conftest import trained
from tests.workers.conftest import publish

QUESTIONS = (
    Field("experience", "number", minimum=0, maximum=40, label="Experience", unit="years"),
    Field("education", "integer", required=False, default=10, minimum=1, maximum=18),
    Field("region", "string", choices=("east", "north", "west"), enforced=frozenset({"choices"})),
)
WAGE = Signature(QUESTIONS, Output("wage", "regression", unit="EUR per year"))


def seed_device_widget(slug: str, owner: str, password: str, origins: Sequence[str]) -> None:
    """As `seed_widget`, and what applicants type is computed on their own device: a second model,
    of the same answers, in each lane."""
    organisation = create_organisation(slug, "Acme", owner, password)
    pays = trained(LinearRegression(), lambda f: 30_000 + 1_000 * f.experience + 100 * f.education)
    caller, keys = system(organisation.pk), {}
    for lane in ("light", "heavy"):
        with pytest.MonkeyPatch.context() as patch:
            if lane == "heavy":
                patch.setattr(measuring, "compile", _closed)
            publish(organisation, lane, pays, WAGE, for_browsers=True)
        with tenancy.scope(organisation.pk):
            set_in_browser(caller, lane, "embedded", True)
            keys[lane] = create_widget(caller, f"Careers page {lane}", lane).key_id
            title = "What could you earn?"
            settings = WidgetSettings(model=lane, title=title, origins=origins)
            update_widget(caller, keys[lane], settings)
    print(json.dumps(keys))


def _closed(*_: object) -> bytes:
    raise NotInLane("closed for a test")


def seed_widget(slug: str, owner: str, password: str, origins: Sequence[str]) -> None:
    """An organisation "Acme" with a live model that pays 30,000 + 1,000 a year of experience + 100
    a year of education, and its widget, whose key is printed."""
    organisation = create_organisation(slug, "Acme", owner, password)
    pays = trained(LinearRegression(), lambda f: 30_000 + 1_000 * f.experience + 100 * f.education)
    publish(organisation, "salary", pays, WAGE)
    caller = system(organisation.pk)
    with tenancy.scope(organisation.pk):
        key = create_widget(caller, "Careers page", "salary").key_id
        settings = WidgetSettings(
            model="salary",
            title="What could you earn?",
            intro="Three questions.",
            contact="jobs@acme.example",
            origins=origins,
        )
        update_widget(caller, key, settings)
    print(json.dumps({"key": key}))
