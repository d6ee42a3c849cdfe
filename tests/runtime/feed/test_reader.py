"""The reader alone, with what no portal should say."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.bundle import Bundle
from berth.feed.follower import Follower
from berth.feed.manifest import Manifest, sealed
from berth.feed.reading import Interest
from berth.feed.sources import CaughtUp, HttpSource, Line
from berth.feed.store import Store
from tests.runtime.feed.lines import line


class Nothing:
    """A target that nothing reaches."""

    def swap(self, manifest: Manifest) -> None: ...

    def withdraw(self, manifest: Manifest) -> None: ...


def followed(folder: Path, key: Ed25519PrivateKey) -> Follower:
    source = HttpSource("http://127.0.0.1:1", "sk_test")
    store = Store(folder, key.public_key())
    return Follower(source, store, key.public_key(), Nothing(), Interest("embedded"))


def test_once_settled_it_stays_so_while_news_is_under_way(
    folder: Path, bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    follower = followed(folder, key)
    assert not follower.wait(0)
    follower.reader.has_caught_up = True
    assert follower.wait(0)
    follower.learn([Manifest.read(sealed(line(bundle, 1), key), key.public_key())])
    assert follower.models()[0]["status"] == "pending"
    assert follower.wait(0)


def test_what_is_gone_already_is_not_dropped_again(
    folder: Path, bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    follower = followed(folder, key)
    follower.learn([Manifest.read(sealed(line(bundle, 1), key), key.public_key())])
    follower.forget_all_but(set())
    gone = follower._followed["acme", "pay"]
    follower.forget_all_but(set())
    assert follower._followed["acme", "pay"] is gone


@pytest.mark.parametrize("word", ['"x"', "null", "[]", "true", "-3"])
def test_a_position_that_is_no_number_means_from_the_start(
    word: str, folder: Path, key: Ed25519PrivateKey
) -> None:
    store = Store(folder, key.public_key())
    (folder / "positions.json").write_text(f'{{"feed": {word}}}')
    assert store.position("feed") == 0


def test_a_line_that_can_not_be_judged_is_doubted_and_not_passed_over(
    folder: Path, bundle: Bundle, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(document: object, public_key: object) -> Manifest:
        raise RecursionError

    store = Store(folder, key.public_key())
    source = HttpSource("http://127.0.0.1:1", "sk_test")
    follower = Follower(source, store, key.public_key(), Nothing(), Interest("embedded"))
    reader = follower.reader
    monkeypatch.setattr(Manifest, "read", fails)
    monkeypatch.setattr(
        source,
        "lines",
        lambda after: iter([Line(1, sealed(line(bundle, 1), key)), CaughtUp(1)]),
    )
    reader._read()
    assert reader.doubts()["acme", "pay"]["code"] == "bad_manifest"
    assert store.position(f"{source.name} embedded * *") == 0


def test_nothing_is_swept_while_a_standing_can_not_be_read(
    folder: Path, bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    store = Store(folder, key.public_key())
    manifest = Manifest.read(sealed(line(bundle, 1), key), key.public_key())

    def fetch(into: Path) -> None:
        into.write_bytes(bundle.data)

    store.bring(manifest, fetch)
    store.apply(manifest)
    standing = folder / "models" / "acme,pay.json"
    standing.write_text("spoilt")
    store.sweep()
    assert store.read(manifest) == bundle.data
    assert standing.with_suffix(".unreadable").read_text() == "spoilt"
    store.learn(manifest)
    assert not standing.with_suffix(".unreadable").exists()
