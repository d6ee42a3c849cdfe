"""Who may wait in a web process, and what a thread works with when it comes back from waiting."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import StreamingHttpResponse
from django.test import RequestFactory

from portal import bodies, permits, waiting
from portal.actions import create_server_token
from portal.errors import Unavailable
from portal.lanes import Application
from portal.servers import server_of_token
from tests.instance import wait_for


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> waiting.Places:
    places = waiting.Places()
    monkeypatch.setattr(waiting, "PLACES", places)
    return places


def test_one_organisation_takes_sixteen_places_and_none_of_the_others(
    places: waiting.Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell, news, looks = waiting.Bell(), threading.Event(), threading.Semaphore(0)
    monkeypatch.setattr(waiting, "BELL", bell)
    monkeypatch.setattr(bell, "_listen", lambda: None)

    def look() -> bool:
        looks.release()
        return news.is_set()

    with ThreadPoolExecutor(waiting.MOST_EACH) as threads:
        polls = [
            threads.submit(waiting.look_until, "models", 600.0, look, "acme")
            for _ in range(waiting.MOST_EACH)
        ]
        wait_for(lambda: places._taken["acme"] == waiting.MOST_EACH, 30, "all wait")
        assert waiting.look_until("models", 600.0, look, "acme") is False
        assert not any(poll.done() for poll in polls)
        assert places.take("other", is_server=False)
        news.set()
        bell.ring()
        assert all(poll.result() for poll in polls)
    places.leave("other")
    assert not places._taken


def test_some_places_are_kept_for_the_servers_of_the_installation(places: waiting.Places) -> None:
    for taken in range(waiting.MOST_WAITING - waiting.FOR_SERVERS):
        assert places.take(str(taken), is_server=False)
    with pytest.raises(Unavailable) as refusal:
        places.take("one more", is_server=False)
    assert refusal.value.kind == "too_many_waiting"
    assert places.take("st_edge", is_server=True)


@pytest.fixture
def own_permits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Permits of this test alone, whose connections don't outlive it."""
    free: SimpleQueue[BaseDatabaseWrapper] = SimpleQueue()
    monkeypatch.setattr(permits, "_free", free)
    monkeypatch.setattr(permits, "_made", 0)
    yield
    while not free.empty():
        free.get().close()


@pytest.fixture
def application(own_permits: None) -> Iterator[Application]:
    yield Application()
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_readers_that_do_not_read_hold_up_neither_others_nor_static_files(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.01)
    monkeypatch.setattr(application, "_api", lambda request: StreamingHttpResponse([b"x"]))
    told: list[str] = []

    def ask(path: str) -> Any:
        environ = RequestFactory().get(path).environ
        return application(environ, lambda status, headers: told.append(status[:3]))

    with ThreadPoolExecutor(1) as threads:  # a permit takes the place of its thread's connection
        slow = [threads.submit(ask, "/api/v1/x").result() for _ in range(bodies.MOST_STREAMS)]
        refused = threads.submit(ask, "/api/v1/x").result()
        static = threads.submit(ask, "/static/berth/favicon.svg").result()
        assert told == ["200"] * bodies.MOST_STREAMS + ["503", "200"]
        assert b"too many downloads" in b"".join(refused).lower()
        assert threads.submit(b"".join, static).result()
        static.close()
        slow.pop().close()
        slow.pop().close()
        slow += [threads.submit(ask, "/api/v1/x").result() for _ in range(2)]
        assert told[-2:] == ["200", "200"]
        for stream in slow:
            stream.close()


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_a_servers_token_is_checked_again_after_the_database_was_away(own_permits: None) -> None:
    text = create_server_token("edge").text

    def ask(breaks: bool) -> str:
        permits.take()
        try:
            if breaks:
                with connections["default"].cursor() as cursor:
                    cursor.execute("SELECT 1")
                connections["default"].connection.pgconn.finish()
            return server_of_token(text).id
        except Unavailable:
            return "away"
        finally:
            permits.give_back()

    with ThreadPoolExecutor(1) as threads:  # a permit takes the place of its thread's connection
        told = [threads.submit(ask, turn < permits.AT_WORK).result() for turn in range(4)]
    assert told == ["away", "away", text[: len(told[2])], told[2]]
