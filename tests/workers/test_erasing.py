"""A key that is erased is nowhere any more: not in rows, results, stored files or the audit log."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from django.core.files.storage import default_storage
from django.core.serializers import serialize
from django.test import Client
from django.urls import reverse

from portal import tenancy
from portal.models import AuditEntry, IdempotentReply
from tests.cast import Cast
from tests.workers.conftest import table
from workers import batch, claims, erasing, erasures, purging
from workers.models import Erasure, Job
from workers.splitting import split

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
Run = Callable[..., Any]


def csv(count: int = 40) -> bytes:
    data: bytes = table(count).to_csv(index=False).encode()
    return data


def erase(api: Client, key: str, **headers: str) -> Any:
    answer = api.post(
        "/api/v1/erasures", {"key": key}, content_type="application/json", headers=headers
    )
    assert answer.status_code == 202, answer.content
    return answer.json()


def state(api: Client, erasure: Any) -> tuple[str, int, int, int]:
    found = api.get(f"/api/v1/erasures/{erasure['id']}").json()
    return found["status"], found["jobs"], found["rows"], found["jobs_left"]


def stored_ids(cast: Cast) -> set[str]:
    """Every id that stands in any stored object of Acme."""
    found: set[str] = set()
    for path in Path(default_storage.path(str(cast.acme.pk))).rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if data.startswith(b"ARROW1"):
                found |= {id_ for id_ in pl.read_ipc(io.BytesIO(data))["0"].to_list() if id_}
            elif data.startswith(b"id,"):
                found |= {line.split(b",")[0].decode() for line in data.splitlines()[1:]}
    return found


def test_a_key_is_erased_from_every_job(
    run: Run, api: Client, cast: Cast, rows: Callable[..., list[Any]]
) -> None:
    first, second = run(csv(), key="id"), run(csv(7), key="id")
    unkeyed = run(csv(3))
    erasure = erase(api, "p7")
    assert (erasure["status"], erasure["jobs_left"]) == ("pending", 2)
    purging.drain()
    assert state(api, erasure) == ("done", 1, 1, 0)
    assert rows(first, key="p7") == []
    assert [row["row"] for row in rows(first)] == [*range(7), *range(8, 40)]
    assert (len(rows(second)), len(rows(unkeyed))) == (7, 3)
    result = b"".join(api.get(f"/api/v1/jobs/{first['id']}/result"))
    ids = [f"p{i}" for i in range(40) if i != 7]
    assert pd.read_csv(io.BytesIO(result))["id"].tolist() == ids
    assert stored_ids(cast) == set(ids)
    told = api.get(f"/api/v1/jobs/{first['id']}").json()
    assert (told["rows_done"], told["rows_erased"]) == (40, 1)


def test_of_the_key_itself_nothing_is_kept(run: Run, api: Client, cast: Cast) -> None:
    run(csv(), key="id")
    erasure = erase(api, "p7", **{"Idempotency-Key": "once"})
    assert erase(api, "p7", **{"Idempotency-Key": "once"})["id"] == erasure["id"]
    purging.drain()
    with tenancy.scope(cast.acme.pk):
        kinds = (AuditEntry, Erasure, IdempotentReply)
        texts = [serialize("json", kind.objects.all()) for kind in kinds]
        actions = AuditEntry.objects.filter(target="erasure").order_by("id")
        told = [(entry.action, entry.detail) for entry in actions]
        digest = erasures.digest_of("p7")
    assert not any('"p7"' in text for text in texts)
    assert told == [
        ("erasure.requested", {"digest": digest}),
        ("erasure.finished", {"digest": digest, "jobs": 1, "rows": 1}),
    ]


def test_all_rows_with_the_key_go_wherever_they_stand(
    run: Run, api: Client, rows: Callable[..., list[Any]]
) -> None:
    frame = pd.concat([table(40)] * 300, ignore_index=True)
    job = run(frame.to_csv(index=False).encode(), key="id")
    assert job["rows_total"] == 12_000  # more than one chunk
    erasure = erase(api, "p0")
    purging.drain()
    assert state(api, erasure) == ("done", 1, 300, 0)
    assert rows(job, key="p0") == []
    result = b"".join(api.get(f"/api/v1/jobs/{job['id']}/result"))
    assert len(result.splitlines()) == 11_701


def test_a_job_at_work_is_gone_through_when_it_has_ended(
    submit: Run, api: Client, rows: Callable[..., list[Any]]
) -> None:
    job = submit(csv(), key="id")
    erasure = erase(api, "p7")
    purging.drain()
    assert state(api, erasure) == ("pending", 0, 0, 1)
    batch.drain()
    purging.drain()
    assert state(api, erasure) == ("done", 1, 1, 0)
    assert rows(job, key="p7") == []


def test_a_key_is_erased_from_rows_that_a_stopped_job_did_not_come_to(
    submit: Run, api: Client, cast: Cast, rows: Callable[..., list[Any]]
) -> None:
    job = submit(csv(), key="id")
    with tenancy.scope(cast.acme.pk):
        chunk = claims.claim()
    assert chunk is not None
    claims.start(chunk)
    split(chunk, float("inf"))
    api.post(f"/api/v1/jobs/{job['id']}/cancel")
    erasure = erase(api, "p7")
    purging.drain()
    assert state(api, erasure) == ("done", 1, 1, 0)
    assert "p7" not in stored_ids(cast)
    assert api.post(f"/api/v1/jobs/{job['id']}/resume").status_code == 200
    batch.drain()
    found = rows(job)
    assert [row["row"] for row in found if row["error"]] == [7]
    assert found[7] == {"row": 7, "key": None, "prediction": None, "error": "This row was erased."}


def test_a_stopped_job_whose_file_was_not_read_loses_it(
    submit: Run, api: Client, cast: Cast
) -> None:
    job = submit(csv(), key="id")
    api.post(f"/api/v1/jobs/{job['id']}/cancel")
    erase(api, "p7")
    purging.drain()
    assert stored_ids(cast) == set()
    answer = api.post(f"/api/v1/jobs/{job['id']}/resume")
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/inputs_gone")


def test_killed_between_two_jobs_it_goes_on_with_the_second(
    run: Run, api: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(csv(), key="id"), run(csv(20), key="id")
    erasure = erase(api, "p7")
    whole = erasing.erase

    def dies_at_the_second(job: Job, key: str) -> int:
        if job.rows_total == 20:
            whole(job, key)
            raise KeyboardInterrupt
        return whole(job, key)

    monkeypatch.setattr(erasing, "erase", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        purging.drain()
    monkeypatch.setattr(erasing, "erase", whole)
    assert state(api, erasure) == ("pending", 1, 1, 1)
    purging.drain()
    assert state(api, erasure) == ("done", 2, 2, 0)
    assert "p7" not in stored_ids(cast)


def test_what_others_keep_of_the_rows_is_erased_too(
    run: Run, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    also = [lambda job, rows, key: asked.append((str(job.pk), list(rows), key))]
    monkeypatch.setattr(erasing, "ALSO", also)
    job = run(csv(), key="id")
    erase(api, "p7")
    purging.drain()
    assert asked == [(job["id"], [7], "p7")]


@pytest.mark.parametrize("body", [{}, {"key": ""}, {"key": 7}, {"key": "x" * 501}, []])
def test_a_key_that_can_be_none_is_refused(api: Client, body: Any) -> None:
    answer = api.post("/api/v1/erasures", json.dumps(body), content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/key"


def test_another_organisations_rows_are_not_touched(
    run: Run, cast: Cast, rows: Callable[..., list[Any]]
) -> None:
    job = run(csv(), key="id")
    erasure = erase(cast.api(organisation=cast.other), "p7")
    assert erasure["jobs_left"] == 0
    purging.drain()
    assert [row["row"] for row in rows(job, key="p7")] == [7]


def test_an_admin_erases_a_key_on_the_settings_page(run: Run, cast: Cast) -> None:
    run(csv(), key="id")
    browser = cast.browser(cast.alice)
    page = browser.post(reverse("erase"), {"key": "p7"}, follow=True).content.decode()
    assert "The key is being erased" in page
    assert "At work" in page
    purging.drain()
    page = browser.get(reverse("settings")).content.decode()
    assert "1 row in 1 job" in page
    assert "Done" in page
    assert browser.post(reverse("erase"), {"key": ""}).status_code == 422
