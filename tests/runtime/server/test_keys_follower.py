"""The thread that hears of keys: nothing that comes or fails ends it."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.feed.http import FetchError
from berth.feed.manifest import Manifest
from berth.feed.sources import Away, CaughtUp, HttpSource, Line
from berth.server.keyring import KeyRing
from berth.server.options import Options
from berth.server.process import KeyFollower
from berth.server.sources import sources
from tests.instance import wait_for


class Stumbling:
    """A source that fails in a way that nobody thought of, and is well the second time."""

    name = "stumbling"

    def __init__(self) -> None:
        self.calls = 0
        self.closed = threading.Event()

    def lines(self, after: int) -> Iterator[Line | CaughtUp | Away]:
        self.calls += 1
        if self.calls == 1:
            raise ValueError("Nobody thought of this.")
        yield CaughtUp(after)
        self.closed.wait()

    def fetch(self, manifest: Manifest, into: Path) -> None:
        raise AssertionError("Keys are not fetched.")

    def close(self) -> None:
        self.closed.set()


def test_keys_are_heard_after_an_error_that_nobody_thought_of(tmp_path: Path) -> None:
    follower = KeyFollower(Stumbling(), KeyRing(tmp_path / "keys.json"))
    follower.start()
    try:
        wait_for(lambda: follower.heard_at is not None, 10, "the keys' feed heard")
    finally:
        follower.close()


def test_the_keys_feed_is_never_left_alone_for_as_long_as_a_revocation_may_take(
    tmp_path: Path, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options("http://127.0.0.1:1", "st_test", str(tmp_path))
    _, keys = sources(options, key.public_key())
    assert isinstance(keys, HttpSource)
    asked: list[float] = []
    slept: list[float] = []

    def answer(path: str, query: Mapping[str, Any], *, wait: float = 0) -> Any:
        asked.append(wait)
        if len(asked) > 2:
            raise FetchError("unreachable", "Away.")
        return {"items": [], "next": 0}

    monkeypatch.setattr(keys.http, "get_json", answer)
    monkeypatch.setattr(keys.http, "sleep", slept.append)
    events = keys.lines(0)
    for _ in range(12):
        next(events)
    assert max(asked) == 4
    assert len(slept) > 5
    assert max(slept) <= 2
