"""Whatever goes wrong on the way of a version: the old one answers on, and the portal hears."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.bundle import Bundle, seal
from berth.feed.subscriber import Subscriber
from tests.instance import wait_for
from tests.runtime.conftest import REGRESSION
from tests.runtime.feed.fake import FakePortal
from tests.runtime.feed.test_subscriber import ROW, Follow, until


@pytest.fixture
def running(portal: FakePortal, bundles: list[Bundle], follow: Follow) -> Subscriber:
    """Version 1 answers."""
    portal.promote(bundles[0], 1)
    subscriber = follow()
    assert subscriber.model("pay").version == 1
    return subscriber


def reported(portal: FakePortal, code: str) -> dict[str, Any]:
    """The portal's newest word about the model, once it is a refusal with this code."""
    wait_for(lambda: portal.newest_report().get("code") == code, 20, f"a report of {code}")
    return portal.newest_report()


def forged(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "version": 9} if document["offset"] > 1 else document


def test_a_tampered_line_is_refused_and_read_again(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber
) -> None:
    portal.tamper = forged
    portal.promote(bundles[1], 2)
    told = reported(portal, "forged")
    assert (told["status"], told["offset"], told["serving"]) == ("refused", 2, 1)
    assert running.predict("pay", [ROW])["version"] == 1
    portal.tamper = dict
    until(running, 2)
    wait_for(lambda: portal.newest_report()["status"] == "applied", 20, "the report")


def test_nothing_that_a_tampered_line_claims_spoils_the_report(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber
) -> None:
    portal.tamper = lambda document: {**document, "offset": "two", "version": -1, "sha256": 7}
    portal.promote(bundles[1], 2)
    told = reported(portal, "forged")
    assert (told["offset"], told["version"], told["sha256"]) == (0, None, None)


def test_a_line_that_stays_tampered_holds_up_nothing_else_and_is_not_forgotten(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber, follow: Follow
) -> None:
    portal.tamper = lambda document: (
        {**document, "at": "x"} if document["offset"] == 2 else document
    )
    portal.promote(bundles[1], 2)
    portal.promote(bundles[2], 3)
    until(running, 3)
    running.close()
    portal.tamper = dict
    again = follow()
    assert again.model("pay").version == 3
    assert again.status()["position"] == 3


@pytest.mark.parametrize("other", [b"x", b"PK"])
def test_a_wrong_file_is_refused_and_fetched_again(
    other: bytes, portal: FakePortal, bundles: list[Bundle], running: Subscriber
) -> None:
    right = bundles[1].data
    portal.promote(bundles[1], 2)
    portal.files[bundles[1].sha256] = other + right[len(other) :]
    if other == b"PK":  # the right start, but more than was named
        portal.files[bundles[1].sha256] = right + right
    told = reported(portal, "wrong_hash" if other == b"x" else "too_large")
    assert (told["version"], told["serving"]) == (2, 1)
    assert running.predict("pay", [ROW])["version"] == 1
    portal.files[bundles[1].sha256] = right
    until(running, 2)


def test_a_bundle_that_fails_its_golden_rows_is_refused(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber
) -> None:
    golden = {"instances": [ROW], "predictions": [7.0]}
    manifest = {"created_at": "2026-01-02T03:04:05Z", "golden": golden}
    portal.promote(seal(bundles[1].onnx, REGRESSION, manifest, portal.key), 2)
    assert "golden rows" in reported(portal, "golden")["detail"]
    assert running.predict("pay", [ROW])["version"] == 1
    portal.promote(bundles[2], 3)
    until(running, 3)


def test_a_refused_version_is_refused_after_a_restart_too(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber, follow: Follow
) -> None:
    golden = {"instances": [ROW], "predictions": [7.0]}
    manifest = {"created_at": "2026-01-02T03:04:05Z", "golden": golden}
    portal.promote(seal(bundles[1].onnx, REGRESSION, manifest, portal.key), 2)
    reported(portal, "golden")
    running.close()
    portal.down()
    again = follow()
    assert again.predict("pay", [ROW])["version"] == 1
    wait_for(lambda: again.status()["models"][0]["status"] == "refused", 20, "the refusal")
    assert again.model("pay").version == 1


def test_a_bundle_that_another_installation_sealed_is_refused(
    portal: FakePortal, classes: Bundle, bundles: list[Bundle], running: Subscriber
) -> None:
    elsewhere = Ed25519PrivateKey.generate()
    manifest = {"created_at": "2026-01-02T03:04:05Z"}
    portal.promote(seal(bundles[1].onnx, REGRESSION, manifest, elsewhere), 2)
    reported(portal, "forged")
    assert running.predict("pay", [ROW])["version"] == 1


def test_a_store_that_lacks_the_file_is_asked_again(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber
) -> None:
    portal.promote(bundles[1], 2)
    del portal.files[bundles[1].sha256]
    assert reported(portal, "missing")["serving"] == 1
    assert running.predict("pay", [ROW])["version"] == 1
    portal.files[bundles[1].sha256] = bundles[1].data
    until(running, 2)


def test_a_slow_store_holds_up_no_answer(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber
) -> None:
    portal.byte_delay = 0.4
    portal.promote(bundles[1], 2)
    wait_for(lambda: len(portal.asked) == 2, 20, "the fetch")
    for _ in range(50):
        assert running.predict("pay", [ROW])["version"] == 1
    until(running, 2)


def test_a_file_that_breaks_off_again_and_again_arrives(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber
) -> None:
    portal.cut_after = 1200
    portal.promote(bundles[1], 2)
    until(running, 2)
    assert portal.asked[-1][1] == "bytes=2400-"


def test_a_file_that_was_altered_on_disk_is_fetched_anew(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber, folder: Path, follow: Follow
) -> None:
    running.close()
    path = folder / "bundles" / bundles[0].sha256
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert follow().predict("pay", [ROW])["version"] == 1
    assert path.read_bytes() == bundles[0].data


def test_a_manifest_that_was_altered_on_disk_is_read_anew(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber, folder: Path, follow: Follow
) -> None:
    running.close()
    path = next((folder / "models").iterdir())
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":8'))
    assert follow().predict("pay", [ROW])["version"] == 1


def test_a_key_that_is_refused_stops_no_answer(
    portal: FakePortal, bundles: list[Bundle], running: Subscriber, follow: Follow
) -> None:
    portal.status = 401
    running.close()
    again = follow()
    assert again.predict("pay", [ROW])["version"] == 1
    assert "not taken" in again.status()["reason"]
