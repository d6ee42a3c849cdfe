"""The thread that hears of keys: nothing that comes or fails ends it."""

import threading
from collections.abc import Iterator
from pathlib import Path

from berth.feed.manifest import Manifest
from berth.feed.sources import Away, CaughtUp, Line
from berth.server.keyring import KeyRing
from berth.server.process import KeyFollower
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
