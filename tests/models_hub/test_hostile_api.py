"""Hostile files and names through the API and the worker, beside a version that goes on."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal import tenancy
from portal.models import AuditEntry
from tests import pipelines
from tests.cast import Cast
from tests.models_hub.hostile import Case, archives, graphs, models, pickles
from workers import tasks

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
VERSIONS = "/api/v1/models/wages/versions"


def some(cases: list[Case], *wanted: str) -> list[Case]:
    found = {case.what: case for case in cases}
    return [found[what] for what in wanted]


SENT = [
    *some(pickles.PICKLES, "BUILD without REDUCE", "a lambda by value", "memo bomb"),
    *some(pickles.JOBLIBS, "zlib bomb", "an object array that calls out"),
    *some(models.MODELS, "support_vectors", "NaN for every row"),
    *some(archives.ARCHIVES, "zip slip", "a call of os.system"),
    *some(graphs.GRAPHS, "weights outside", "a cycle"),
]


@pytest.fixture
def live(cast: Cast) -> Client:
    """A model with a live version."""
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    return cast.api()


def predicted(api: Client) -> Any:
    body = {"instances": pipelines.wages().instances(2)}
    answer = api.post("/api/v1/models/wages/predict", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()["predictions"]


def test_hostile_files_are_refused_while_the_live_version_answers(
    live: Client, cast: Cast, tmp_path: Path
) -> None:
    before, marker = predicted(live), tmp_path / "marker"
    sent = {}
    for case in SENT:
        file = SimpleUploadedFile(case.filename, case.build(marker))
        answer = live.post(VERSIONS, {"artifact": file})
        assert answer.status_code == 202, (case, answer.content)
        sent[answer["Location"]] = case
    while "inspecting" in {item["status"] for item in live.get(VERSIONS).json()["items"]}:
        tasks.inspect()
        assert predicted(live) == before
    for place, case in sent.items():
        version = live.get(place).json()
        assert (version["status"], version["refusal"]["code"]) == ("refused", case.code), case
        assert default_storage.exists(f"{cast.acme.pk}/{version['sha256'][:2]}/{version['sha256']}")
    assert not marker.exists()
    assert predicted(live) == before
    with tenancy.scope(cast.acme.pk):
        assert AuditEntry.objects.filter(action="version.refused").count() == len(SENT)


def test_a_file_of_the_wrong_kind_is_refused_at_once(live: Client, tmp_path: Path) -> None:
    wrong = [case for case in archives.POLYGLOTS if case.code == "type_mismatch"]
    for case in wrong:
        file = SimpleUploadedFile(case.filename, case.build(tmp_path / "marker"))
        answer = live.post(VERSIONS, {"artifact": file})
        assert answer.status_code == 422, case
        assert answer.json()["errors"][0]["code"] == case.code


NAMES = [
    "../../../etc/passwd.onnx",
    "/etc/cron.d/evil.onnx",
    "..\\..\\windows\\system32\\evil.onnx",
    "C:\\evil.onnx",
    "file:///etc/passwd.onnx",
    "model\u202exnno.exe.onnx",
    "model\u200b\ufeff.onnx",
    "model\x00.exe.onnx",
    "model\r\nX-Evil: 1.onnx",
    "model\x1b[31m.onnx",
    "<script>alert(1)</script>.onnx",
    '"><img src=x onerror=alert(1)>.onnx',
    "{{ settings.SECRET_KEY }}.onnx",
    "{% load static %}.onnx",
    "%00%2e%2e%2f.onnx",
    "=cmd|' /C calc'!A0.onnx",
    "@SUM(1+1).onnx",
    "$(touch evil).onnx",
    "; rm -rf ~.onnx",
    "' OR 1=1 --.onnx",
    "x" * 300 + ".onnx",
    "😀" * 90 + ".onnx",
    "Gehälter März.onnx",
    ".onnx",
    "CON.onnx",
    "   .onnx",
]


def sent_as(api: Client, name: str) -> Any:
    """A multipart body made by hand: the test client would clean the name."""
    shown = name.replace("\\", "\\\\").replace('"', '\\"')
    head = f'--b\r\nContent-Disposition: form-data; name="artifact"; filename="{shown}"\r\n'
    data = graphs.plus_one().SerializeToString()
    body = head.encode() + b"Content-Type: x/y\r\n\r\n" + data + b"\r\n--b--\r\n"
    return api.generic("POST", VERSIONS, body, "multipart/form-data; boundary=b")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_hostile_name_is_a_label_and_nothing_else(name: str, live: Client, cast: Cast) -> None:
    answer = sent_as(live, name)
    assert answer.status_code in (202, 400, 422), answer.content
    if answer.status_code != 202:
        return
    version = live.get(answer["Location"]).json()
    label = version["filename"]
    assert len(label) <= 200
    assert not re.search(r"[/\\\x00-\x1f\x7f\u200b\u202e\ufeff]", label), label
    page = cast.browser(cast.bob).get(f"/models/wages/versions/{version['number']}")
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
    assert "<img src=x" not in page.content.decode()
