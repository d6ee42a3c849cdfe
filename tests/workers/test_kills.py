"""Workers are killed while they are at it: every row is there once, and nothing waits for ever."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.test import Client
from psycopg.conninfo import conninfo_to_dict
from sklearn.pipeline import Pipeline

from models_hub.models import Version
from portal import tenancy
from tests.cast import Cast
from tests.runtime.conftest import people
from workers.models import JobRow

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
ROWS, KILLS, PATIENCE = 200_000, 6, 120
ROOT = Path(__file__).parents[2]
WORKER = """
import time, django
django.setup()
from workers import batch, claims
claims.LEASE_SECONDS, claims.BEAT_SECONDS = 2, 0.5
score = batch.score
def slowly(*args):
    time.sleep(0.2)
    return score(*args)
batch.score = slowly
while True:
    batch.drain(1)
    time.sleep(0.05)
"""


class Crew:
    """Two worker processes on the tests' database; a killed one is replaced."""

    def __init__(self) -> None:
        database = connections["default"].settings_dict["NAME"]
        urls = {"DATABASE_URL": settings.ENV.database_url}
        urls["DATABASE_APP_URL"] = settings.ENV.database_app_url
        self._env = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
        for name, url in urls.items():
            self._env[name] = url.rpartition("/")[0] + f"/{database}"
            assert conninfo_to_dict(self._env[name])["dbname"] == database
        self.members = [self._hire(), self._hire()]

    def _hire(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", WORKER], env=self._env, cwd=ROOT)

    def kill_one(self, chance: random.Random) -> None:
        place = chance.randrange(len(self.members))
        self.members[place].kill()
        self.members[place].wait()
        self.members[place] = self._hire()

    def dismiss(self) -> None:
        for member in self.members:
            member.kill()
            member.wait()


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew()
    yield crew
    crew.dismiss()


@pytest.mark.timeout(300)
def test_rows_in_are_rows_out_when_workers_are_killed(
    cast: Cast, salary: Version, api: Client, regressor: Pipeline, crew: Crew
) -> None:
    chance = random.Random(2026)
    frame = people(ROWS)
    frame.insert(0, "id", np.arange(ROWS))
    file = SimpleUploadedFile("people.csv", frame.to_csv(index=False).encode())
    job = api.post("/api/v1/models/salary/jobs", {"file": file, "key": "id"}).json()
    until = time.monotonic() + PATIENCE
    kills = seen = 0
    while job["status"] in ("queued", "running"):
        assert time.monotonic() < until, job
        time.sleep(chance.uniform(0.05, 0.3))
        job = api.get(f"/api/v1/jobs/{job['id']}").json()
        if kills < KILLS and job["rows_done"] > seen:  # somebody is in the middle of it
            seen, kills = job["rows_done"], kills + 1
            crew.kill_one(chance)
    assert kills >= 2
    check(cast, job, regressor.predict(frame))


def check(cast: Cast, job: dict[str, Any], expected: Any) -> None:
    """Rows in = rows out, each once, each right."""
    count = len(expected)
    assert (job["status"], job["rows_total"], job["rows_done"]) == ("succeeded", count, count)
    with tenancy.scope(cast.acme.pk), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(DISTINCT row), count(DISTINCT key) FROM workers_jobrow"
            " WHERE job_id = %s",
            [job["id"]],
        )
        assert cursor.fetchone() == (count, count, count)
        rows = JobRow.objects.filter(job_id=job["id"]).order_by("row")
        found = list(rows.values_list("key", "value"))
    assert [int(key or -1) for key, _ in found] == list(range(count))
    values = np.array([value for _, value in found], dtype=float)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
