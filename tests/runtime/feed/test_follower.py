"""The follower against a source that tells lines as no honest portal would."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.bundle import Bundle
from berth.feed.follower import Follower
from berth.feed.manifest import Manifest, sealed
from berth.feed.reading import Interest
from berth.feed.sources import Away, CaughtUp, Line
from berth.feed.store import Store
from tests.instance import wait_for
from tests.runtime.feed.lines import line, withdrawn

Event = Line | CaughtUp | Away


class Scripted:
    """A source that says what it is given, and has every bundle."""

    name = "scripted"

    def __init__(self, bundles: list[Bundle]) -> None:
        self.files = {bundle.sha256: bundle.data for bundle in bundles}
        self.events: queue.Queue[Event | None] = queue.Queue()
        self.fetched: list[str] = []

    def lines(self, after: int) -> Iterator[Event]:
        while (event := self.events.get()) is not None:
            yield event

    def fetch(self, manifest: Manifest, into: Path) -> None:
        self.fetched.append(str(manifest.sha256))
        into.write_bytes(self.files[str(manifest.sha256)])

    def close(self) -> None:
        self.events.put(None)


class Recorded:
    """A target that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int | None]] = []
        self.fails = False

    def swap(self, manifest: Manifest) -> None:
        if self.fails:
            raise RuntimeError("no")
        self.told.append((manifest.model, manifest.version))

    def withdraw(self, manifest: Manifest) -> None:
        self.told.append((manifest.model, None))


class Scene:
    def __init__(self, folder: Path, key: Ed25519PrivateKey, bundles: list[Bundle]) -> None:
        self.key = key
        self.bundles = bundles
        self.source = Scripted(bundles)
        self.target = Recorded()
        self.store = Store(folder, key.public_key())
        interest = Interest("published", "acme")
        self.follower = Follower(self.source, self.store, key.public_key(), self.target, interest)

    def tell(
        self, *documents: dict[str, Any], whole: bool = False, inline: bytes | None = None
    ) -> None:
        for document in documents:
            self.source.events.put(Line(1, sealed(document, self.key), inline))
        self.source.events.put(CaughtUp(1, whole))

    def codes(self) -> list[str]:
        return [known["code"] for known in self.follower.models()]

    def settled(self, *told: tuple[str, int | None]) -> None:
        """The target was told this, and what came of it is kept."""
        wait_for(lambda: self.target.told == list(told) and self.is_kept(), 10, f"{told}")

    def is_kept(self) -> bool:
        return all(known["status"] in ("applied", "retired") for known in self.follower.models())


@pytest.fixture
def scene(folder: Path, key: Ed25519PrivateKey, bundles: list[Bundle]) -> Iterator[Scene]:
    made = Scene(folder, key, bundles)
    made.follower.start()
    yield made
    made.follower.close()


def test_an_older_line_never_follows_a_newer_one(scene: Scene, bundles: list[Bundle]) -> None:
    scene.tell(line(bundles[1], offset=5, version=2))
    scene.settled(("pay", 2))
    scene.tell(line(bundles[0], offset=4, version=1))
    scene.tell(withdrawn(offset=3), line(bundles[2], offset=6, version=3))
    scene.settled(("pay", 2), ("pay", 3))


def test_of_many_lines_at_once_the_newest_counts(scene: Scene, bundles: list[Bundle]) -> None:
    scene.tell(*(line(bundles[n], offset=n + 1, version=n + 1) for n in (1, 2, 0)))
    scene.settled(("pay", 3))
    assert scene.source.fetched == [bundles[2].sha256]


def test_a_roll_back_is_the_older_bundle_under_a_higher_offset(
    scene: Scene, bundles: list[Bundle]
) -> None:
    scene.tell(line(bundles[0], offset=1, version=1))
    scene.settled(("pay", 1))
    scene.tell(line(bundles[1], offset=2, version=2))
    scene.settled(("pay", 1), ("pay", 2))
    scene.tell(line(bundles[0], offset=3, version=1))
    scene.settled(("pay", 1), ("pay", 2), ("pay", 1))
    assert len(scene.source.fetched) == 2, "the one before is kept on disk"


def test_a_file_that_comes_along_is_not_fetched(scene: Scene, bundles: list[Bundle]) -> None:
    scene.tell(line(bundles[0], offset=1), inline=bundles[0].data)
    scene.settled(("pay", 1))
    assert scene.source.fetched == []


def test_a_wrong_file_that_comes_along_is_fetched(scene: Scene, bundles: list[Bundle]) -> None:
    scene.tell(line(bundles[0], offset=1), inline=bundles[1].data)
    scene.settled(("pay", 1))
    assert scene.source.fetched == [bundles[0].sha256]


def test_what_a_whole_reading_lacks_stands_no_more(
    scene: Scene, folder: Path, key: Ed25519PrivateKey, bundles: list[Bundle]
) -> None:
    scene.tell(line(bundles[0], 1))
    scene.tell(line(bundles[1], 2, model="bonus", version=2))
    wait_for(lambda: len(scene.target.told) == 2, 10, "both")
    scene.follower.close()
    later = Scene(folder, key, bundles)
    later.follower.start()
    later.tell()  # a reading that is not whole proves nothing
    later.tell(line(bundles[1], 2, model="bonus", version=2), whole=True)
    later.settled(("bonus", 2), ("pay", 1), ("pay", None))
    later.follower.close()
    assert [known.newest.model for known in later.store.standings()] == ["bonus"]


def test_an_organisation_that_it_does_not_follow_is_nothing_to_it(
    scene: Scene, bundles: list[Bundle]
) -> None:
    scene.tell({**line(bundles[0], 1), "organisation": "other"}, line(bundles[1], 1, version=2))
    scene.settled(("pay", 2))
    assert [known.newest.organisation for known in scene.store.standings()] == ["acme"]


def test_a_target_that_finds_out_later_is_handed_the_version_again(
    scene: Scene, bundles: list[Bundle]
) -> None:
    scene.tell(line(bundles[0], offset=1))
    scene.settled(("pay", 1))
    manifest = scene.store.standing(("acme", "pay"))
    assert manifest is not None
    scene.follower.refuse(manifest.newest, RuntimeError("it does not load"))
    assert scene.follower.models()[0]["status"] == "refused"
    scene.settled(("pay", 1), ("pay", 1))
    assert scene.follower.models()[0]["status"] == "applied"


def test_a_target_that_fails_is_asked_again(scene: Scene, bundles: list[Bundle]) -> None:
    scene.target.fails = True
    scene.tell(line(bundles[0], offset=1))
    wait_for(lambda: scene.codes() == ["unusable"], 10, "a refusal")
    scene.target.fails = False
    scene.settled(("pay", 1))
