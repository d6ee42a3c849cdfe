"""A recurring job, and the clock put forward."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal import tenancy, turns
from tests.cast import Cast
from tests.workers.conftest import table
from workers.models import Schedule

PLAN = {"name": "Payroll", "every": "day", "at": "02:30", "zone": "Europe/Berlin"}
Make = Callable[..., Any]


def people(rows: int = 3) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", table(rows).to_csv(index=False).encode())


@pytest.fixture
def make(api: Client) -> Make:
    """A recurring job by API; returns the answer's JSON."""

    def go(slug: str = "salary", **more: Any) -> Any:
        answer = api.post(f"/api/v1/models/{slug}/schedules", {"file": people(), **PLAN, **more})
        assert answer.status_code == 201, answer.content
        return answer.json()

    return go


def long_ago(cast: Cast, schedule: Any, days: float = 0.1) -> datetime:
    """As if the slot that it waits for had been so many days ago; returns that slot."""
    slot = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
    with tenancy.scope(cast.acme.pk):
        Schedule.objects.filter(pk=UUID(schedule["id"])).update(next_slot=slot)
        turns.announce(turns.Kind.RECUR)
    return slot
