"""What a browser's tests find in a fresh Berth; run inside it by ``manage.py shell``."""

import json
from collections.abc import Sequence

from sklearn.linear_model import LinearRegression

from berth.field import Field
from berth.signature import Output, Signature
from portal import tenancy
from portal.access import system
from portal.actions import create_organisation
from predictions.actions import WidgetSettings, create_widget, update_widget
from tests.runtime.conftest import trained
from tests.workers.conftest import publish

QUESTIONS = (
    Field("experience", "number", minimum=0, maximum=40, label="Experience", unit="years"),
    Field("education", "integer", required=False, default=10, minimum=1, maximum=18),
    Field("region", "string", choices=("east", "north", "west"), enforced=frozenset({"choices"})),
)
WAGE = Signature(QUESTIONS, Output("wage", "regression", unit="EUR per year"))


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
