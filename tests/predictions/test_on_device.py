"""The option that the applicant's own device answers: who may switch it, what is given away."""

import gzip
import hashlib
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
import quickjs  # type: ignore[import-untyped]  # it comes without types
from django.contrib.staticfiles import finders
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from berth.field import Field
from berth.loaded import Loaded
from berth.signature import Output, Signature
from models_hub import compact, storage
from models_hub.actions import promote
from models_hub.models import Version
from models_hub.places import DeviceFile
from portal import tenancy
from portal.access import system
from portal.models import AuditEntry
from predictions import in_browser
from predictions.answering import Answer
from predictions.engine import ENGINE
from predictions.forms import parse
from predictions.widget.device import OnDevice
from predictions.widget.estimate import estimate_of, rounded, with_unit
from predictions.widget.facts import WIDGETS
from predictions.written_numbers import spoken
from tests import pipelines
from tests.cast import Cast
from tests.predictions.test_applicant_page import GOOD, QUESTIONS, SITE, WAGE, made
from tests.predictions.test_applicant_page import pipeline as pipeline  # a fixture
from tests.workers.conftest import publish

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


@pytest.fixture
def live(cast: Cast, pipeline: Any) -> Version:
    return publish(cast.acme, "salary", pipeline, WAGE, for_browsers=True)


@pytest.fixture
def key(cast: Cast, live: Version) -> str:
    return made(cast.acme, "salary", origins=[SITE])


def switch(
    client: Client, slug: str = "salary", architecture: str = "embedded", **body: Any
) -> Any:
    ENGINE.forget()
    path = f"/api/v1/models/{slug}/deployments/{architecture}"
    answer = client.put(path, {"is_active": True, **body}, content_type="application/json")
    ENGINE.forget()
    return answer


def file_path(key: str, version: Version) -> str:
    digest = version.report["architectures"]["browser"]["sha256"]
    return reverse("widget-file", args=[key, digest])


def test_it_is_off_until_a_publisher_switches_it_on(cast: Cast, live: Version, key: str) -> None:
    page = Client().get(f"/w/{key}")
    assert b"data-ask" in page.content
    assert Client().get(file_path(key, live)).status_code == 404
    answer = switch(cast.api(), in_browser=True)
    assert (answer.status_code, answer.json()["in_browser"]) == (200, True)
    page = Client().get(f"/w/{key}")
    assert b"data-device" in page.content
    assert b"data-ask" not in page.content
    with tenancy.scope(cast.acme.pk):
        assert AuditEntry.objects.filter(action="deployment.in_browser_on").count() == 1
    assert switch(cast.api(), in_browser=False).json()["in_browser"] is False
    assert Client().get(file_path(key, live)).status_code == 404


def test_the_file_is_the_one_that_was_measured_and_may_be_kept(
    cast: Cast, live: Version, key: str
) -> None:
    switch(cast.api(), in_browser=True)
    answer = Client().get(file_path(key, live), headers={"Accept-Encoding": "gzip", "Origin": SITE})
    assert answer.status_code == 200
    data = gzip.decompress(answer.content)
    assert hashlib.sha256(data).hexdigest() in file_path(key, live)
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer["Access-Control-Allow-Origin"] == SITE
    assert Client().get(file_path(key, live)).content == data
    other = Client().get(file_path(key, live), headers={"Origin": "https://else.example"})
    assert other["Access-Control-Allow-Origin"] != "https://else.example"
    header, _ = compact.unpack(data)
    assert header["about"] == {"model": "salary", "version": 1, "bundle": live.bundle_sha256}
    assert header["signature"] == live.signature


def test_files_are_zipped_once_and_kept_up_to_so_many_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    second = threading.Event()

    def read_stored(organisation_id: UUID, sha256: str) -> bytes:
        read.append(sha256)
        if len(read) > 1:
            second.set()
        second.wait(0.5)  # for another who reads it too
        return sha256.encode()

    organisation = uuid4()
    monkeypatch.setattr(storage, "read_stored", read_stored)
    monkeypatch.setattr(in_browser, "FILES", Loaded(50))
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(in_browser.zipped, organisation, "one") for _ in range(2)]
        assert {gzip.decompress(file.result()) for file in both} == {b"one"}
    assert read == ["one"]
    in_browser.zipped(organisation, "two")  # 23 bytes each
    in_browser.zipped(organisation, "one")
    in_browser.zipped(organisation, "three")
    assert read == ["one", "two", "three"]
    in_browser.zipped(organisation, "two")
    assert read == ["one", "two", "three", "two"]


def test_no_other_file_and_no_other_widget_gives_it(cast: Cast, live: Version, key: str) -> None:
    switch(cast.api(), in_browser=True)
    for other in (made(cast.other, origins=[SITE]), "pk_unknown"):
        assert Client().get(file_path(other, live)).status_code == 404
    wrong = reverse("widget-file", args=[key, live.bundle_sha256])
    assert Client().get(wrong).status_code == 404


def test_only_the_live_version_s_file_is_given(
    cast: Cast, live: Version, key: str, pipeline: Any
) -> None:
    switch(cast.api(), in_browser=True)
    body = json.dumps({"inputs": [{"name": "experience", "label": "Years of work"}]})
    path = "/api/v1/models/salary/versions/1/signature"
    assert cast.api().post(path, body, content_type="application/json").status_code == 201
    with tenancy.scope(cast.acme.pk):
        second = Version.objects.get(model__slug="salary", number=2)
        promote(system(cast.acme.pk), "salary", 2)
    ENGINE.forget()
    assert Client().get(file_path(key, live)).status_code == 404
    answer = Client().get(file_path(key, second))
    header, sections = compact.unpack(answer.content)
    assert header["signature"]["inputs"][0]["label"] == "Years of work"
    assert header["about"]["version"] == 2
    assert sections


def test_the_page_may_reach_the_file_and_nothing_else(cast: Cast, live: Version, key: str) -> None:
    switch(cast.api(), in_browser=True)
    policy = Client().get(f"/w/{key}")["Content-Security-Policy"]
    assert f"connect-src http://testserver{file_path(key, live)};" in f"{policy};"
    assert "unsafe" not in policy


def test_without_javascript_the_server_answers_where_embedded_is_on(
    cast: Cast, live: Version, key: str
) -> None:
    switch(cast.api(), in_browser=True)
    page = Client().post(f"/w/{key}", GOOD)
    assert page.status_code == 200
    assert b"43,500" in page.content
    assert b"Your answers are sent to" in page.content


def test_with_embedded_off_the_device_alone_answers(cast: Cast, live: Version, key: str) -> None:
    switch(cast.api(), is_active=False, in_browser=True)
    page = Client().get(f"/w/{key}")
    assert page.status_code == 200
    assert b"needs JavaScript" in page.content
    assert "form-action 'none'" in page["Content-Security-Policy"]
    refused = Client().post(f"/w/{key}", GOOD)
    assert refused.status_code == 409
    assert b"needs JavaScript" in refused.content
    assert b"43,500" not in refused.content


def test_a_version_that_no_browser_runs_can_t_be_given_away(cast: Cast, pipeline: Any) -> None:
    publish(cast.acme, "salary", pipeline, WAGE)
    answer = switch(cast.api(), in_browser=True)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "browser_closed")


def test_a_version_that_no_browser_runs_does_not_undo_the_promise(
    cast: Cast, live: Version, pipeline: Any
) -> None:
    api = cast.api()
    path = "/api/v1/models/salary"
    pipelines.seal(cast.acme, "salary", pipelines.wages())
    assert api.post(f"{path}/versions/2/promote").status_code == 200
    assert api.post(f"{path}/versions/1/promote").status_code == 200
    switch(api, in_browser=True)
    for way in ("versions/2/promote", "rollback"):
        answer = api.post(f"{path}/{way}")
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (409, "/api/problems/browser_closed")
        assert "switch “In the applicant’s browser” off first" in problem["detail"]
    assert api.get(path).json()["live_version"] == 1
    switch(api, in_browser=False)
    assert api.post(f"{path}/rollback").json()["live_version"] == 2


@pytest.mark.parametrize("body", [{"in_browser": "yes"}, {"in_browser": 1}])
def test_nonsense_is_refused(cast: Cast, live: Version, body: Any) -> None:
    assert switch(cast.api(), **body).status_code == 422


def test_only_embedded_has_the_option(cast: Cast, live: Version) -> None:
    answer = switch(cast.api(), architecture="offline", in_browser=True)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/in_browser"


def test_the_deploy_page_says_that_the_file_becomes_public(cast: Cast, live: Version) -> None:
    alice = cast.browser(cast.alice)
    page = alice.get("/models/salary/deploy").content.decode()
    assert "The model’s file becomes public" in page
    alice.post("/models/salary/deployments/embedded", {"in_browser": "1"})
    page = alice.get("/models/salary/deploy").content.decode()
    assert "Widgets compute on the applicant’s device." in page


def script(name: str) -> str:
    found = finders.find(f"berth/widget/{name}.js")
    assert isinstance(found, str)
    with open(found) as stream:
        return stream.read()


FIELDS = (
    *QUESTIONS,
    Field("pay", "number", nullable=True, unit="€ per year", minimum=0, maximum=100_000),
    Field("count", "integer", enforced=frozenset({"integer", "range"}), minimum=1, maximum=9),
    Field("remote", "boolean"),
    Field("local", "boolean", required=False, nullable=True),
    Field("grade", "integer", choices=(1, 2, 3, 4, 5, 6)),
    Field("city", "string", nullable=True, required=False),
    Field("rate", "number", required=False, default=0.5, minimum=-5, maximum=5),
)
TEXTS = [
    "", " ", "12", "12,5", "12.5", "1.234", "45.000", "45.000,5", "45,000.5", "1 234", "1'234",
    "-3", "+4", "€ 300", "300 €", "1e3", "1E400", "0x1f", "NaN", "null", "n/a", "abc", "true",
    "no", "1", "0", "yes", "9007199254740993", "-", ".", ".5", "5.", "١٢", "−7", "3.5", "2",
    "17", "999999",
    "west", "north", "Łódź", "1,2,3", "1.000.000", "12 years", "12years", "00012", "1_000", "5 ",
    "9.0",
]  # fmt: skip


def test_the_page_s_script_reads_what_is_written_as_the_server_does() -> None:
    signature = Signature(FIELDS, Output("wage", "regression"))
    device = OnDevice("f", "light", signature, 1, alone=False, folder="")
    context = quickjs.Context()
    context.module(script("reading") + "globalThis.read = read;")
    context.set("signature", json.dumps(signature.to_json()))
    context.set("words", json.dumps(device.words["fields"]))
    context.eval(_DATA)
    draws = random.Random(4)
    fields = device.words["fields"]
    for _ in range(1_500):
        data = {one["input"]: draws.choice(one["written"] or TEXTS) for one in fields}
        data = {name: text for name, text in data.items() if draws.random() < 0.9}
        row, errors = parse(signature, QueryDict(urlencode(data)))
        got = json.loads(context.get("ask")(json.dumps(data)))
        assert got["errors"] == errors, data
        if not errors:
            coerced = signature.coerce([row])
            there = signature.coerce([got["row"]])
            same = all(str(there.columns[k]) == str(coerced.columns[k]) for k in coerced.columns)
            assert same, data
            content = {"id": "", "predictions": [1.0], "version": 1}
            content["warnings"] = [warning.to_json() for warning in coerced.warnings]
            assert got["doubts"] == list(estimate_of(Answer(content, b"", signature)).doubts), data


_DATA = """
const ask = (data) => {
  const given = new Map(Object.entries(JSON.parse(data)));
  const found = read(JSON.parse(signature), JSON.parse(words), given);
  return JSON.stringify(found, (_, value) => (typeof value === "bigint" ? String(value) : value));
};
globalThis.ask = ask;
"""


def test_the_page_s_script_rounds_and_says_numbers_as_the_server_does() -> None:
    context = quickjs.Context()
    context.module(script("estimate") + _SAY)
    draws = random.Random(2)
    values = [draws.uniform(-1, 1) * 10.0 ** draws.randint(-9, 17) for _ in range(2_000)]
    values += [0.0, 12.25, 1.125, 62_050.0, 62_150.0, 999.5, 0.5, 99_950.0, 1e15, 1e-5, -2.5, 1e6]
    for value in values:
        number = rounded(value)
        assert json.loads(context.get("tell")(json.dumps(value))) == [number, spoken(number)], value
    for unit in ("EUR per year", "€ per year", "€/h", "weeks", "", "usd", "%"):
        assert context.get("unit")("62,000", unit) == with_unit("62,000", unit)


_SAY = """
globalThis.tell = (text) => JSON.stringify([rounded(+text), spoken(rounded(+text))]);
globalThis.unit = withUnit;
globalThis.estimated = (signature, found) =>
  JSON.stringify(estimate(JSON.parse(signature), JSON.parse(found)));
"""


@pytest.mark.parametrize("labels", [("a", "b", "c"), (1, 2), (False, True)], ids=str)
def test_the_page_s_script_tells_likelihoods_as_the_server_does(labels: Any) -> None:
    signature = Signature(FIELDS, Output("x", "classification", labels=labels))
    context = quickjs.Context()
    context.module(script("estimate") + _SAY)
    draws = random.Random(3)
    for _ in range(200):
        shares = [draws.choice([0.005, 0.125, 0.5, 0.995, draws.random()]) for _ in labels]
        found = {"predictions": [draws.choice(labels)], "probabilities": [shares]}
        due = estimate_of(Answer({"id": "", "version": 1, **found}, b"", signature))
        got = json.loads(
            context.get("estimated")(json.dumps(signature.to_json()), json.dumps(found))
        )
        assert got["headline"] == due.headline
        assert got["likelihood"] == due.likelihood
        assert got["likelihoods"] == [[one.label, one.text] for one in due.likelihoods]
        assert {"id": "", **got["told"]} == json.loads(due.event)


def test_what_a_device_loads_is_named_in_full() -> None:
    device = OnDevice("https://b/f", "heavy", WAGE, 1, alone=True, folder="https://b/e/")
    assert device.reached == ("https://b/f", "https://b/e/ort-wasm-simd-threaded.wasm")
    assert DeviceFile("a", "light").lane == "light"
    assert WIDGETS.ttl >= 0
