"""A job that is deleted is gone whole: rows, chunks, stored objects; and nobody else's are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from models_hub import storage
from models_hub.models import Version
from portal import tenancy
from portal.errors import Unavailable
from portal.models import AuditEntry
from portal.tenancy import current
from tests.cast import Cast
from tests.workers.conftest import table
from workers import batch, purging
from workers.models import Chunk, Job, JobRow, Leftover

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]


def csv(count: int = 40) -> bytes:
    data: bytes = table(count).to_csv(index=False).encode()
    return data


def stored(cast: Cast) -> set[str]:
    """The names of all objects that Acme has in the storage."""
    folder = Path(default_storage.path(str(cast.acme.pk)))
    return {path.name for path in folder.rglob("*") if path.is_file()}


def counts(cast: Cast) -> tuple[int, ...]:
    with tenancy.scope(cast.acme.pk):
        return tuple(kind.objects.count() for kind in (Job, Chunk, JobRow, Leftover))


def test_a_deleted_job_leaves_nothing_but_its_audit_entry(
    api: Client, submit: Run, cast: Cast
) -> None:
    before = stored(cast)
    job = submit(csv(), key="id")
    batch.drain()
    address = f"/api/v1/jobs/{job['id']}"
    assert stored(cast) > before
    assert api.delete(address).status_code == 204
    assert [api.get(address).status_code, api.delete(address).status_code] == [404, 404]
    purging.drain()
    assert counts(cast) == (0, 0, 0, 0)
    assert stored(cast) == before
    with tenancy.scope(cast.acme.pk):
        entry = AuditEntry.objects.get(target_id=job["id"], action="job.deleted")
    assert (entry.label, entry.detail) == ("people.csv", {"rows": 40})


def test_a_job_at_work_is_cancelled_first(api: Client, submit: Run) -> None:
    address = f"/api/v1/jobs/{submit(csv())['id']}"
    answer = api.delete(address)
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/job_not_ended")
    api.post(f"{address}/cancel")
    assert api.delete(address).status_code == 204


def test_the_file_itself_goes_once_its_rows_are_stored(run: Run, api: Client, cast: Cast) -> None:
    job = run(csv())
    with tenancy.scope(cast.acme.pk):
        upload = Job.objects.get().sha256
    assert upload in stored(cast)
    purging.drain()
    assert upload not in stored(cast)
    assert b"".join(api.get(f"/api/v1/jobs/{job['id']}/result")).startswith(b"id,")


def test_what_another_job_was_made_of_stays(run: Run, api: Client) -> None:
    first, second = run(csv()), run(csv())
    api.delete(f"/api/v1/jobs/{first['id']}")
    purging.drain()
    lines = b"".join(api.get(f"/api/v1/jobs/{second['id']}/result")).splitlines()
    assert len(lines) == 41


def test_a_storage_that_is_away_loses_no_leftover(
    run: Run, api: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(cast)
    api.delete(f"/api/v1/jobs/{run(csv())['id']}")

    def away(*_: object) -> None:
        raise Unavailable(storage.AWAY)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete", away)
        purging.drain()
    assert stored(cast) > before
    purging.drain()
    assert stored(cast) == before
    assert counts(cast) == (0, 0, 0, 0)


def test_another_organisations_objects_are_never_removed(
    run: Run, api: Client, cast: Cast, salary: Version
) -> None:
    with tenancy.scope(cast.other.pk):
        theirs = storage.put_bytes(current(), csv())
    api.delete(f"/api/v1/jobs/{run(csv())['id']}")
    purging.drain()
    assert storage.read_stored(cast.other.pk, theirs) == csv()


def test_a_person_deletes_a_job_on_its_page(run: Run, cast: Cast) -> None:
    job = run(csv())
    browser = cast.browser(cast.bob)
    page = browser.get(reverse("job", args=[job["id"]])).content.decode()
    assert reverse("job-delete", args=[job["id"]]) in page
    answer = browser.post(reverse("job-delete", args=[job["id"]]), follow=True)
    assert "The job is deleted." in answer.content.decode()
    assert browser.get(reverse("job", args=[job["id"]])).status_code == 404
