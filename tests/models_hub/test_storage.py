"""Where bytes lie: the same promises on a local disk and over S3's protocol."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from moto.server import ThreadedMotoServer
from pytest_django.fixtures import Settings

from models_hub import storage
from portal.errors import Unavailable
from portal.settings import storage_backend
from tests.cast import Cast
from tests.pipelines import publish, wages
from workers import batch

BUCKET = "berth"
HELLO = b"hello, storage"
SHA256 = hashlib.sha256(HELLO).hexdigest()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 endpoint with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    before = {name: os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield address
    server.stop()
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@pytest.fixture(params=["disk", "s3"])
def stored(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> str:
    """Django's storage as ``STORAGE_URL`` would have set it."""
    kind: str = request.param
    url = f"file://{tmp_path}" if kind == "disk" else f"s3://{BUCKET}/prefix"
    endpoint = None if kind == "disk" else request.getfixturevalue("s3")
    settings.STORAGES = {**settings.STORAGES, "default": storage_backend(url, endpoint)}
    return kind


@pytest.mark.usefixtures("stored")
def test_it_gives_back_what_it_was_given(tmp_path: Path) -> None:
    organisation = uuid4()
    file = tmp_path / "upload"
    file.write_bytes(HELLO)
    storage.put_file(organisation, SHA256, file)
    assert storage.put_bytes(organisation, HELLO) == SHA256
    assert storage.read_stored(organisation, SHA256) == HELLO
    with storage.local_copy(organisation, SHA256, ".csv") as copy:
        assert copy.read_bytes() == HELLO
        assert copy.suffix == ".csv"
    assert not copy.exists()
    assert storage.is_reachable()


@pytest.mark.usefixtures("stored")
def test_another_organisation_does_not_find_it() -> None:
    storage.put_bytes(uuid4(), HELLO)
    with pytest.raises(Unavailable):
        storage.read_stored(uuid4(), SHA256)


@pytest.mark.usefixtures("stored")
def test_what_is_deleted_is_gone_and_deleting_twice_is_fine() -> None:
    organisation = uuid4()
    storage.put_bytes(organisation, HELLO)
    storage.delete(organisation, SHA256)
    storage.delete(organisation, SHA256)
    with pytest.raises(Unavailable):
        storage.read_stored(organisation, SHA256)


def test_it_refuses_a_file_whose_bytes_have_changed(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": storage_backend(f"file://{tmp_path}")}
    organisation = uuid4()
    storage.put_bytes(organisation, HELLO)
    next(path for path in tmp_path.rglob(SHA256)).write_bytes(b"rotten")
    with pytest.raises(Unavailable, match="digest"):
        storage.read_stored(organisation, SHA256)


def test_a_storage_that_is_away_is_not_reachable(settings: Settings, s3: str) -> None:
    away = storage_backend("s3://no-such-bucket/x", "http://127.0.0.1:9")
    settings.STORAGES = {**settings.STORAGES, "default": away}
    assert not storage.is_reachable()


def test_a_storage_that_is_away_is_unavailable(settings: Settings, s3: str) -> None:
    away = storage_backend(f"s3://{BUCKET}-that-is-not-there/x", s3)
    settings.STORAGES = {**settings.STORAGES, "default": away}
    organisation = uuid4()
    with pytest.raises(Unavailable):
        storage.put_bytes(organisation, HELLO)
    with pytest.raises(Unavailable):
        storage.read_stored(organisation, SHA256)
    with pytest.raises(Unavailable), storage.local_copy(organisation, SHA256):
        pass


def test_a_full_disk_is_unavailable_and_keeps_no_half_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    settings.STORAGES = {**settings.STORAGES, "default": storage_backend(f"file://{tmp_path}")}
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unavailable):
        storage.put_bytes(uuid4(), HELLO)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("stored")
def test_a_sample_with_a_long_name_is_copied_all_the_same() -> None:
    organisation = uuid4()
    storage.put_bytes(organisation, HELLO)
    with storage.local_copy(organisation, SHA256, "." + "é" * 190) as copy:
        assert copy.read_bytes() == HELLO


@pytest.mark.django_db(databases=["default", "owner"])
@pytest.mark.usefixtures("stored")
def test_a_model_answers_and_a_job_runs_from_it(cast: Cast) -> None:
    publish(cast.acme, "salary", wages())
    api = cast.api()
    instances = wages().instances(5)
    answer = api.post(
        "/api/v1/models/salary/predict", {"instances": instances}, content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    lines = b"\n".join(orjson.dumps(row) for row in instances)
    file = SimpleUploadedFile("people.jsonl", lines)
    job = api.post("/api/v1/models/salary/jobs", {"file": file}).json()
    batch.drain()
    rows = api.get(f"/api/v1/jobs/{job['id']}/rows").json()["items"]
    assert [row["prediction"] for row in rows] == answer.json()["predictions"]
