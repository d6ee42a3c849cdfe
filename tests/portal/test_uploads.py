"""Files on their way in: whose are taken at all, and how many."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from tests.cast import Cast
from workers import tasks

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that reached the disk."""
    names: list[str] = []

    def make(name: str, *args: Any) -> TemporaryUploadedFile:
        names.append(name)
        return TemporaryUploadedFile(name, *args)

    monkeypatch.setattr("django.core.files.uploadhandler.TemporaryUploadedFile", make)
    return names


def files(count: int = 1) -> dict[str, SimpleUploadedFile]:
    return {f"file{i}": SimpleUploadedFile("people.csv", b"x" * 100) for i in range(count)}


@pytest.mark.parametrize("address", ["/accounts/login/", "/models/wages/upload", "/w/pk_x"])
def test_files_of_somebody_unknown_never_reach_the_disk(
    cast: Cast, stored: list[str], address: str
) -> None:
    for strict in (False, True):
        client = Client(enforce_csrf_checks=strict)
        client.cookies["csrftoken"] = "a" * 32
        form = {"csrfmiddlewaretoken": "a" * 32, **files()}
        assert client.post(address, form).status_code < 500
    assert stored == []


def test_files_of_a_member_do(cast: Cast, stored: list[str]) -> None:
    client = cast.browser(cast.alice)
    client.handler.enforce_csrf_checks = True
    client.cookies["csrftoken"] = "a" * 32
    client.post("/keys", {"csrfmiddlewaretoken": "a" * 32, **files()})
    assert stored == ["people.csv"]


def test_more_files_than_anything_takes_are_refused(cast: Cast, stored: list[str]) -> None:
    api = cast.api()
    api.post("/api/v1/models", {"slug": "a", "name": "A"}, content_type="application/json")
    answer = api.post("/api/v1/models/a/versions", files(5))
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_what_a_killed_process_left_is_removed_after_a_day(
    settings: Settings, tmp_path: Path
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    fresh, left, folder = tmp_path / "fresh", tmp_path / "left", tmp_path / "folder"
    for file in (fresh, left):
        file.write_bytes(b"x")
    folder.mkdir()
    (folder / "0.parquet").write_bytes(b"x")
    for old in (left, folder):
        os.utime(old, (0, 0))
    tasks.tidy()
    assert list(tmp_path.iterdir()) == [fresh]
