"""Jobs from the organisation's own folder: on a disk, and in a bucket."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from tests.cast import Cast
from tests.models_hub.test_storage import s3, stored
from tests.workers.conftest import table
from workers import batch

__all__ = ["s3", "stored"]
pytestmark = [
    pytest.mark.django_db(databases=["default", "owner"]),
    pytest.mark.usefixtures("stored"),
]
V1 = "/api/v1"
CONTENT = table(5).to_csv(index=False).encode()


def put(name: str, content: bytes = CONTENT) -> None:
    default_storage.save(f"incoming/{name}", ContentFile(content))


def order(api: Client, source: Any, query: str = "", **more: Any) -> Any:
    body = {"source": source, **more}
    return api.post(f"{V1}/models/salary/jobs{query}", body, content_type="application/json")


def test_a_file_in_the_folder_is_listed_tried_and_scored(stored: str, api: Client) -> None:
    put("acme/2026-11.csv.gz", gzip.compress(CONTENT))
    put("acme/march/a.csv")
    put("other/theirs.csv")
    found = api.get(f"{V1}/incoming").json()
    assert {item["source"] for item in found["items"]} == {
        "incoming/2026-11.csv.gz",
        "incoming/march/a.csv",
    }
    assert found["folder"].endswith("/incoming/acme/")
    tried = order(api, "incoming/2026-11.csv.gz", "?dry_run=true").json()
    assert (tried["rows_good"], tried["complete"]) == (5, True)
    answer = order(api, "incoming/2026-11.csv.gz", key="id")
    assert answer.status_code == 202, answer.content
    default_storage.delete("incoming/acme/march/a.csv")
    batch.drain()
    job = api.get(answer["Location"]).json()
    assert (job["status"], job["rows_total"]) == ("succeeded", 5)
    assert (job["source"], job["filename"]) == ("incoming/2026-11.csv.gz", "2026-11.csv.gz")
    default_storage.delete("incoming/acme/2026-11.csv.gz")
    assert api.get(f"{V1}/jobs/{job['id']}/result").status_code == 200


@pytest.mark.parametrize(
    "source",
    [
        "incoming/../other/theirs.csv",
        "incoming/./a.csv",
        "incoming//a.csv",
        "/incoming/a.csv",
        "incoming",
        "incoming/",
        "other/theirs.csv",
        "incoming/a\\b.csv",
        "incoming/a\0b.csv",
        "../incoming/a.csv",
        "incoming/nothing.csv",
        f"incoming/{'x' * 500}.csv",
        "",
        7,
        None,
    ],
)
def test_no_name_leads_out_of_the_folder(stored: str, api: Client, source: Any) -> None:
    put("other/theirs.csv")
    for query in ("", "?dry_run=true"):
        answer = order(api, source, query)
        assert answer.status_code == 422, answer.content
        assert answer.json()["errors"][0]["pointer"] == "/source"


def test_no_link_leads_out_of_the_folder(stored: str, api: Client, tmp_path: Path) -> None:
    if stored == "s3":  # a bucket has no links: the name alone counts there
        put("acme/a.csv")
        assert order(api, "incoming/a.csv").status_code == 202
        return
    put("acme/a.csv")
    secret = tmp_path / "secret.csv"
    secret.write_bytes(CONTENT)
    (tmp_path / "incoming/acme/link.csv").symlink_to(secret)
    (tmp_path / "incoming/acme/up").symlink_to(tmp_path)
    for source in ("incoming/link.csv", "incoming/up/secret.csv"):
        assert order(api, source).status_code == 422
    assert len(api.get(f"{V1}/incoming").json()["items"]) == 1


def test_a_file_that_went_or_is_no_table_fails_the_job(stored: str, api: Client) -> None:
    put("acme/gone.csv")
    put("acme/not.csv.gz")
    jobs = [order(api, f"incoming/{name}").json() for name in ("gone.csv", "not.csv.gz")]
    default_storage.delete("incoming/acme/gone.csv")
    batch.drain()
    ended = [api.get(f"{V1}/jobs/{job['id']}").json() for job in jobs]
    assert [job["status"] for job in ended] == ["failed", "failed"]
    assert [job["error"]["code"] for job in ended] == ["no_such_source", "not_gzip"]


def test_another_organisations_folder_does_not_exist(stored: str, api: Client, cast: Cast) -> None:
    put("other/theirs.csv")
    charlie = cast.api(organisation=cast.other)
    ours, theirs = (who.get(f"{V1}/incoming").json()["items"] for who in (api, charlie))
    assert "incoming/theirs.csv" not in [item["source"] for item in ours]
    assert "incoming/theirs.csv" in [item["source"] for item in theirs]
    assert order(api, "incoming/theirs.csv").status_code == 422
