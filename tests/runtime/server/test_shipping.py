"""Whatever one file is answered, no record is given up and no other file waits for it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from berth.feed.http import FetchError, Http
from berth.journal import Journal, records_of
from berth.server.shipping import Shipper


class Portal(Http):
    """Takes bodies of at most `most` bytes; answers the file named in `refuses` with an error."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.refuses: dict[str, FetchError] = {}
        self.taken: dict[str, bytes] = {}

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        name = headers["X-Journal-Name"]
        if len(body) > self.most:
            raise FetchError("failed", "Too large.", 413)  # as a proxy says it
        if name in self.refuses:
            raise self.refuses[name]
        self.taken[name] = body

    def records(self) -> list[bytes]:
        return sorted(record for body in self.taken.values() for record in records_of(body)[0])


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for size in (1, 2):
        journal = Journal(tmp_path)
        for number in range(4):
            journal.append(b"%d" % (10 * size + number))
        journal.close()
    return sorted(tmp_path.iterdir())


EVERY = sorted(b"%d" % n for n in (10, 11, 12, 13, 20, 21, 22, 23))


def test_a_file_that_is_too_large_goes_in_parts_of_steady_names(files: list[Path]) -> None:
    whole = {path: path.read_bytes() for path in files}
    portal = Portal(most=30)
    shipper = Shipper(files[0].parent, portal)
    assert shipper.ship() == 2
    assert portal.records() == EVERY
    names = set(portal.taken)
    for path, data in whole.items():
        path.write_bytes(data)
    assert shipper.ship() == 2
    assert set(portal.taken) == names


@pytest.mark.parametrize("status", [400, 422, 500])
def test_what_a_proxy_refuses_waits_and_keeps_no_other_waiting(
    files: list[Path], status: int
) -> None:
    portal = Portal()
    first = files[0].stem
    portal.refuses[first] = FetchError("failed", "No.", status)
    shipper = Shipper(files[0].parent, portal)
    with pytest.raises(FetchError):
        shipper.ship()
    assert portal.records() == EVERY[4:]
    assert (files[0].exists(), shipper.set_aside()) == (True, 0)
    portal.refuses.clear()
    shipper.ship()
    assert portal.records() == EVERY


def test_what_the_portal_itself_refuses_is_set_aside_and_counted(files: list[Path]) -> None:
    portal = Portal()
    portal.refuses[files[0].stem] = FetchError("failed", "No.", 422, "bad_journal")
    shipper = Shipper(files[0].parent, portal)
    assert shipper.ship() == 1
    assert shipper.set_aside() == 1
    assert portal.records() == EVERY[4:]
