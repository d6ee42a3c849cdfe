"""A body that breaks off on its way never passes for a whole one."""

import io
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory
from django.utils import timezone

from berth.journal import SEPARATOR, Journal
from portal import bodies
from portal.actions import create_server_token
from portal.bodies import READ_AHEAD
from portal.lanes import api_lane
from predictions import loading
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


@pytest.mark.parametrize("filling", [10, READ_AHEAD])
def test_a_journal_that_broke_off_is_asked_for_again_and_then_kept_whole(
    cast: Cast, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, filling: int
) -> None:
    monkeypatch.setattr(loading, "FOLDER", tmp_path / "portal")
    journal = Journal(tmp_path / "server")
    for _ in range(2):
        about = [str(uuid4()), str(cast.acme.pk), timezone.now(), "wages", 1, "sk_x", 1, 0.5]
        journal.append(SEPARATOR.join((orjson.dumps(about), b"1" * filling, b"{}")))
    journal.close()
    (path,) = (tmp_path / "server").iterdir()
    whole = path.read_bytes()
    token = create_server_token("edge").text
    first = whole.index(b"\n") + 1

    assert post(whole[:first], len(whole), token) == 503
    assert not (tmp_path / "portal").exists()
    assert post(whole, len(whole), token) == 204
    assert loading.load_all(tmp_path / "portal") == 2


def post(came: bytes, length: int, token: str) -> int:
    """What a sender of so many bytes is answered, of whom so much came."""
    environ = RequestFactory().post("/api/v1/server/predictions").environ
    environ |= {
        "CONTENT_TYPE": "application/x-berth-journal",
        "CONTENT_LENGTH": str(length),
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "HTTP_X_JOURNAL_NAME": str(UUID(int=7)),
        "wsgi.input": io.BytesIO(came),
    }
    bodies.receive(environ)
    return api_lane()(WSGIRequest(environ)).status_code
