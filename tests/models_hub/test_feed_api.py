"""The feeds over HTTP: in order, waited for, and only what is one's own; Bundles in parts."""

import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from berth import bundle
from berth.feed.manifest import Manifest, public_key
from berth.keys import id_of
from models_hub import sealing
from portal import tenancy
from portal.access import system
from portal.actions import revoke_key
from portal.waiting import BELL
from tests import pipelines
from tests.cast import Cast, assemble

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
V1 = "/api/v1"


def command(name: str, *arguments: str) -> Any:
    out = io.StringIO()
    call_command(name, *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def server(cast: Cast) -> Client:
    token = command("create_server_token", "edge 1")["token"]
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def published(cast: Cast) -> str:
    """Two versions of Acme's and one of the other's; the SHA-256 of Acme's newest Bundle."""
    pipelines.publish(cast.acme, "wages", pipelines.wages())
    pipelines.publish(cast.other, "wages", pipelines.wages())
    return pipelines.publish(cast.acme, "wages", pipelines.wages()).bundle_sha256


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_the_feed_is_read_to_its_end_and_on_from_there(cast: Cast, published: str) -> None:
    api = cast.api("read")
    first = api.get(f"{V1}/feed?limit=1").json()
    assert [line["version"] for line in first["items"]] == [1]
    rest = api.get(f"{V1}/feed?after={first['next']}").json()
    assert [(line["offset"], line["sha256"]) for line in rest["items"]] == [(2, published)]
    assert api.get(f"{V1}/feed?after={rest['next']}").json() == {"items": [], "next": 2}


@pytest.mark.parametrize("path", ["feed", "server/models", "server/keys"])
def test_a_place_beyond_the_feeds_end_tells_of_an_older_backup(
    cast: Cast, server: Client, published: str, path: str
) -> None:
    client = cast.api("read") if path == "feed" else server
    head = client.get(f"{V1}/{path}").json()["next"]
    assert client.get(f"{V1}/{path}?after={head}").json() == {"items": [], "next": head}
    answer = client.get(f"{V1}/{path}?after={head + 1}&wait=30")
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems/feed_rewound")


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "wait=31", "wait=nan", "wait=", "limit=0"]
)
def test_a_place_or_a_wait_that_makes_no_sense_is_refused(cast: Cast, query: str) -> None:
    answer = cast.api("read").get(f"{V1}/feed?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


def test_an_organisation_reads_its_own_lines_alone(cast: Cast, published: str) -> None:
    lines = cast.api(organisation=cast.other).get(f"{V1}/feed").json()["items"]
    assert [line["organisation"] for line in lines] == ["other"]


def test_a_server_of_the_installation_reads_all_lines_in_their_order(
    cast: Cast, server: Client, published: str
) -> None:
    page = server.get(f"{V1}/server/models").json()
    told = [(line["position"], line["organisation"], line["offset"]) for line in page["items"]]
    assert told == [(1, "acme", 1), (2, "other", 1), (3, "acme", 2)]
    key = public_key(server.get(f"{V1}/server/public-key").json()["ed25519"])
    for line in page["items"]:
        line.pop("position")
        Manifest.read(line, key)
    compact = server.get(f"{V1}/server/models?compact=1").json()
    assert [line["position"] for line in compact["items"]] == [2, 3]
    assert compact["next"] == page["next"] == 3


def test_an_organisations_own_server_reads_its_lines_alone(cast: Cast, published: str) -> None:
    own = cast.api("serve")
    lines = own.get(f"{V1}/server/models").json()["items"]
    assert {line["organisation"] for line in lines} == {"acme"}
    keys = own.get(f"{V1}/server/keys").json()["items"]
    assert {line["organisation"] for line in keys} == {"acme"}


def test_the_feed_of_keys_tells_of_new_and_of_revoked_keys(cast: Cast, server: Client) -> None:
    text = cast.key("predict")
    before = server.get(f"{V1}/server/keys").json()
    line = before["items"][-1]
    assert (line["key"], line["scopes"], line["revoked"]) == (id_of(text), ["predict"], False)
    assert text not in json.dumps(before)
    with tenancy.scope(cast.acme.pk):
        revoke_key(system(cast.acme.pk), id_of(text))
    after = server.get(f"{V1}/server/keys?after={before['next']}").json()
    assert [(line["key"], line["revoked"]) for line in after["items"]] == [(id_of(text), True)]


def test_a_token_is_listed_and_revoked_and_its_text_is_not_kept(cast: Cast) -> None:
    made = command("create_server_token", "edge 2")
    api = Client(headers={"Authorization": f"Bearer {made['token']}"})
    assert api.get(f"{V1}/server/models").status_code == 200
    listed = command("server_tokens")
    assert [(row["id"], row["name"]) for row in listed] == [(made["id"], "edge 2")]
    assert made["token"] not in json.dumps(listed)
    call_command("revoke_server_token", made["id"], stdout=io.StringIO())
    assert api.get(f"{V1}/server/models").status_code == 401
    with pytest.raises(CommandError):
        call_command("revoke_server_token", "st_nothing")
    with pytest.raises(CommandError):
        call_command("create_server_token", " ")


@pytest.mark.parametrize("path", ["feed", "models", "jobs"])
def test_a_servers_token_opens_nothing_but_what_servers_need(server: Client, path: str) -> None:
    assert server.get(f"{V1}/{path}").status_code == 401


def test_a_bundle_is_what_was_sealed_and_may_be_kept_for_ever(cast: Cast, published: str) -> None:
    answer = cast.api("read").get(f"{V1}/bundles/{published}")
    assert answer.status_code == 200
    assert answer["ETag"] == f'"{published}"'
    assert "immutable" in answer["Cache-Control"]
    read = bundle.read(content(answer), sealing.signing_key().public_key())
    assert read.sha256 == published
    assert int(answer["Content-Length"]) == len(read.data)
    again = cast.api("read").get(
        f"{V1}/bundles/{published}", headers={"If-None-Match": f'"{published}"'}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_bundle_that_broke_off_is_gone_on_with(cast: Cast, published: str) -> None:
    api, address = cast.api("serve"), f"{V1}/bundles/{published}"
    whole = content(api.get(address))
    etag = f'"{published}"'
    for asked, start, stop in [
        ("bytes=100-", 100, len(whole)),
        ("bytes=0-9", 0, 10),
        ("bytes=-7", len(whole) - 7, len(whole)),
        (f"bytes=5-{10**15}", 5, len(whole)),
    ]:
        answer = api.get(address, headers={"Range": asked, "If-Range": etag})
        assert answer.status_code == 206
        assert answer["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
        assert content(answer) == whole[start:stop]
    other = api.get(address, headers={"Range": "bytes=100-", "If-Range": '"another"'})
    assert (other.status_code, content(other)) == (200, whole)
    for odd in ("bytes=3-1", "bytes=0-1,4-5", "lines=1-2", "bytes=-"):
        assert api.get(address, headers={"Range": odd}).status_code == 200
    beyond = api.get(address, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(whole)}")
    head = api.head(address)
    assert (head.status_code, head["Content-Length"]) == (200, str(len(whole)))


def test_a_bundle_is_nobody_elses(cast: Cast, server: Client, published: str) -> None:
    address = f"{V1}/bundles/{published}"
    assert cast.api(organisation=cast.other).get(address).status_code == 404
    assert cast.api("predict").get(address).status_code == 403
    assert server.get(address).status_code == 200
    assert server.get(f"{V1}/bundles/{'0' * 64}").status_code == 404


@pytest.fixture
def bell() -> Iterator[None]:
    yield
    BELL.close()


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_who_waits_is_answered_by_the_promotion(bell: None) -> None:
    cast = assemble()
    pipelines.seal(cast.acme, "wages", pipelines.wages())
    api, other = cast.api("read"), cast.api("read", organisation=cast.other)
    found: dict[str, Any] = {}

    def wait(name: str, client: Client, seconds: int) -> None:
        found[name] = client.get(f"{V1}/feed?after=0&wait={seconds}").json()["items"]
        connection.close()

    waiting = [
        threading.Thread(target=wait, args=("acme", api, 30)),
        threading.Thread(target=wait, args=("other", other, 1)),
    ]
    for thread in waiting:
        thread.start()
    cast.api().post(f"{V1}/models/wages/versions/1/promote")
    for thread in waiting:
        thread.join()
    assert [line["version"] for line in found["acme"]] == [1]
    assert found["other"] == []
