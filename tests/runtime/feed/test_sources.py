"""The portal's HTTP feed as a source."""

import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from berth.bundle import Bundle
from berth.feed.http import FetchError
from berth.feed.manifest import Manifest
from berth.feed.sources import Away, CaughtUp, HttpSource, Line
from tests.instance import wait_for
from tests.runtime.feed.fake import FakePortal


@pytest.fixture
def source(portal: FakePortal) -> Iterator[HttpSource]:
    made = HttpSource(portal.url, "sk_test")
    yield made
    made.close()


def manifest(portal: FakePortal) -> Manifest:
    return Manifest.read(portal.lines[-1], portal.key.public_key())


def test_it_reads_to_the_end_and_then_waits_for_news(
    portal: FakePortal, source: HttpSource, bundles: list[Bundle]
) -> None:
    for number in range(100):
        portal.promote(bundles[0], number + 1)
    lines = source.lines(0)
    told = list(islice(lines, 101))
    assert [event.position for event in told if isinstance(event, Line)] == list(range(1, 101))
    assert told[-1] == CaughtUp(100)
    threading.Timer(0.2, portal.withdraw).start()
    assert isinstance(event := next(lines), Line)
    assert Manifest.read(event.document, portal.key.public_key()).type == "withdrawn"
    assert next(lines) == CaughtUp(101)


def test_it_goes_on_where_it_was_told_to(
    portal: FakePortal, source: HttpSource, bundles: list[Bundle]
) -> None:
    portal.promote(bundles[0], 1)
    portal.promote(bundles[1], 2)
    assert [event.position for event in islice(source.lines(1), 2) if isinstance(event, Line)] == [
        2
    ]


def test_it_says_that_the_portal_is_away_and_comes_back_with_it(
    portal: FakePortal, source: HttpSource, bundles: list[Bundle]
) -> None:
    portal.down()
    lines = source.lines(0)
    assert isinstance(next(lines), Away)
    portal.up()
    portal.promote(bundles[0], 1)
    assert isinstance(next(event for event in lines if not isinstance(event, Away)), Line)


@pytest.mark.parametrize(
    ("status", "says"), [(401, "not taken"), (409, "older"), (503, "503"), (302, "302")]
)
def test_a_refusal_is_a_reason_to_wait(
    status: int, says: str, portal: FakePortal, source: HttpSource
) -> None:
    portal.status = status
    away = next(source.lines(0))
    assert isinstance(away, Away)
    assert says in away.reason
    portal.status = 0
    assert CaughtUp(0) in islice(source.lines(0), 3)


def test_close_ends_a_long_poll_from_another_thread(portal: FakePortal, source: HttpSource) -> None:
    lines = source.lines(0)
    assert next(lines) == CaughtUp(0)
    rest: list[object] = []
    reader = threading.Thread(target=lambda: rest.extend(lines))
    reader.start()
    wait_for(lambda: portal.waiting > 0, 10, "the long poll")
    source.close()
    reader.join(10)  # the poll itself would last 25 s
    assert not reader.is_alive()
    assert rest == []


def test_a_file_goes_on_where_it_broke_off(
    portal: FakePortal, source: HttpSource, bundles: list[Bundle], tmp_path: Path
) -> None:
    portal.promote(bundles[0], 1)
    portal.cut_after = 1000
    source.fetch(manifest(portal), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == bundles[0].data
    assert [wanted for _, wanted in portal.asked][:3] == [None, "bytes=1000-", "bytes=2000-"]


def test_a_file_goes_on_from_what_an_earlier_process_left(
    portal: FakePortal, source: HttpSource, bundles: list[Bundle], tmp_path: Path
) -> None:
    portal.promote(bundles[0], 1)
    (tmp_path / "file").write_bytes(bundles[0].data[:700])
    source.fetch(manifest(portal), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == bundles[0].data
    assert portal.asked == [(f"/api/v1/bundles/{bundles[0].sha256}", "bytes=700-")]


def test_it_takes_no_more_than_the_manifest_names(
    portal: FakePortal, source: HttpSource, bundles: list[Bundle], tmp_path: Path
) -> None:
    portal.promote(bundles[0], 1)
    portal.files[bundles[0].sha256] += b"and more"
    with pytest.raises(FetchError) as caught:
        source.fetch(manifest(portal), tmp_path / "file")
    assert caught.value.code == "too_large"


def test_the_key_goes_to_the_portal_alone(
    portal: FakePortal, source: HttpSource, bundles: list[Bundle], tmp_path: Path
) -> None:
    address = f"{portal.url.replace('127.0.0.1', 'localhost')}/api/v1/bundles/{bundles[0].sha256}"
    portal.promote(bundles[0], 1, address=address)
    with pytest.raises(FetchError) as caught:
        source.fetch(manifest(portal), tmp_path / "file")
    assert caught.value.code == "denied"
    assert not portal.asked


def test_an_answer_that_is_no_feed_is_a_reason_to_wait(
    portal: FakePortal, source: HttpSource
) -> None:
    portal.files["x"] = b""
    source.path = "/api/v1/bundles/x"
    away = next(source.lines(0))
    assert isinstance(away, Away)
    assert "no page" in away.reason
