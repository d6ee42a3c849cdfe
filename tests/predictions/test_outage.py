"""What goes on being answered while the database is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from berth.keys import new_secret
from portal.keys import RING
from predictions.engine import ENGINE
from tests.cast import Cast
from tests.predictions.conftest import Ask

pytestmark = pytest.mark.django_db(databases=["default", "owner"])
ROW = {"education": 12, "experience": 10.5, "city": "Oslo", "level": "senior"}


@contextmanager
def database_away(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception] = OperationalError
) -> Iterator[list[str]]:
    """No statement gets through; yields those that were tried."""
    tried: list[str] = []

    def fail(execute: Any, sql: str, *args: Any) -> None:
        tried.append(sql)
        raise kind("the server closed the connection unexpectedly")

    with monkeypatch.context() as patched, connection.execute_wrapper(fail):
        for step in ("savepoint", "savepoint_commit", "savepoint_rollback"):
            patched.setattr(connection, step, lambda *args: "sid")
        yield tried
        connection.needs_rollback = False


def test_a_known_key_and_model_need_no_query(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ask({"instances": [ROW]})
    with database_away(monkeypatch) as tried:
        after = ask({"instances": [ROW]})
    assert (after.status_code, tried) == (200, [])
    assert after.json()["predictions"] == before.json()["predictions"]


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_what_was_known_is_served_past_its_time(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    monkeypatch.setattr(RING, "ttl", 0.0)
    monkeypatch.setattr(ENGINE, "live_ttl", 0.0)
    ask({"instances": [ROW]})
    with database_away(monkeypatch, kind) as tried:
        assert ask({"instances": [ROW]}).status_code == 200
    assert len(tried) >= 2


def test_while_one_asks_a_database_that_hangs_others_are_answered(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RING, "ttl", 0.0)
    monkeypatch.setattr(ENGINE, "live_ttl", 0.0)
    ask({"instances": [ROW]})
    inner: list[int] = []

    def hang(*args: Any) -> None:
        if not inner:
            inner.append(0)
            inner[0] = ask({"instances": [ROW]}).status_code
        raise OperationalError("connection timeout expired")

    monkeypatch.setattr("predictions.engine._look_up", hang)
    assert ask({"instances": [ROW]}).status_code == 200
    assert inner == [200]


def test_guessed_keys_drive_out_no_known_one(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.keys.MOST_KNOWN", 5)
    ask({"instances": [ROW]})
    for _ in range(12):
        guess = Client(headers={"Authorization": f"Bearer {new_secret()[1]}"})
        assert guess.get("/api/v1/models").status_code == 401
    with database_away(monkeypatch) as tried:
        assert ask({"instances": [ROW]}).status_code == 200
    assert tried == []


def test_what_needs_the_database_is_unavailable(
    cast: Cast, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.raise_request_exception = False
    assert api.get("/api/v1/models").status_code == 200
    page = cast.browser(cast.alice)
    page.raise_request_exception = False
    with database_away(monkeypatch):
        answer, shown = api.get("/api/v1/models"), page.get("/models")
    assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems/unavailable")
    assert int(answer["Retry-After"]) > 0
    assert (shown.status_code, "html" in shown["Content-Type"]) == (503, True)


def test_an_idempotent_call_without_the_database_is_unavailable(
    ask: Ask, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask({"instances": [ROW]})
    api.raise_request_exception = False
    with database_away(monkeypatch):
        answer = ask({"instances": [ROW]}, headers={"Idempotency-Key": "once"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems/unavailable")
