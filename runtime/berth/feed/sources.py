"""Where lines come from: the protocol that a follower reads, and the portal's HTTP feed.

`berth.feed.kafka` is the other source.
"""

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from berth.feed.backoff import Backoff
from berth.feed.http import READ, FetchError, Http
from berth.feed.manifest import Manifest

ORGANISATION_FEED = "/api/v1/feed"
SERVER_FEED = "/api/v1/server/models"
_WAIT = 25  # seconds that one call may wait for news
_PAGE = 100  # lines
_MOST_AWAY = 30.0  # seconds
_SOON = 1.0  # seconds: a poll that ends so early without news was not let wait


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it came, unchecked: `document` is the manifest's JSON (parsed or bytes)."""

    position: int
    document: object
    inline: bytes | None = None  # the Bundle's bytes where they came along


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All up to `position` was told; lines() says so again whenever it hears that there is no
    news. `whole`: every model that stands was told since lines() was called, so that one which
    was not told stands no more."""

    position: int
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Away:
    """The source can't be read just now, for this reason; lines() goes on trying."""

    reason: str


class Source(Protocol):
    """Something to follow. A source is read by one thread, fetched from by several."""

    @property
    def name(self) -> str:
        """What its positions belong to: one read elsewhere means nothing here."""

    def lines(self, after: int) -> Iterator[Line | CaughtUp | Away]:
        """What came after `after` (0: from the start), in order, and then what comes, without
        end until close(). Raises nothing for an outage: it says Away, waits (Backoff) and goes
        on. Lines may come twice."""

    def fetch(self, manifest: Manifest, into: Path) -> None:
        """Bring a live manifest's Bundle to `into`, a file that may hold the start of it from
        an earlier attempt. The caller checks what came. Raises FetchError, OSError."""

    def close(self) -> None:
        """From any thread: lines() ends within a second, fetch() fails."""


class HttpSource:
    """The portal's feed: an organisation's own, or the whole installation's for a server."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        path: str = ORGANISATION_FEED,
        verify_tls: bool | str | ssl.SSLContext = True,
        poll: int = _WAIT,
        most_away: float = _MOST_AWAY,
        silence: float = READ,
    ) -> None:
        """`path` is ORGANISATION_FEED or SERVER_FEED; `verify_tls` as for Http. In seconds: how
        long a call waits for news, how long it may be away between two attempts, and how much
        longer than it waits an answer may take."""
        self.http = Http(base_url, token, verify_tls=verify_tls, silence=silence)
        self.path = path
        self._poll = poll
        self._most_away = most_away

    @property
    def name(self) -> str:
        return f"{self.http.base_url}{self.path.lstrip('/')}"

    def lines(self, after: int) -> Iterator[Line | CaughtUp | Away]:
        """See Source. To the end without waiting, then by long polls."""
        wait, backoff = 0, Backoff(most=self._most_away)
        while not self.http.closed.is_set():
            asked = time.monotonic()
            try:
                items, following = self._page(after, wait)
            except FetchError as error:
                if not self.http.closed.is_set():
                    yield Away(str(error))
                    self.http.sleep(backoff.next())
                wait = 0
                continue
            backoff.reset()
            for item in items:
                after = _position(item, after)
                yield Line(after, _manifest(item))
            after = following
            if wait and not items and time.monotonic() - asked < _SOON:
                self.http.sleep(_SOON)
            wait = 0
            if len(items) < _PAGE:  # not: none, which a busy feed might never answer
                yield CaughtUp(after)
                wait = self._poll

    def fetch(self, manifest: Manifest, into: Path) -> None:
        """See Source."""
        if manifest.address is None or manifest.size is None or manifest.sha256 is None:
            raise FetchError("missing", "Nothing is live.")
        self.http.download(manifest.address, into, manifest.size, manifest.sha256)

    def close(self) -> None:
        self.http.close()

    def _page(self, after: int, wait: int) -> tuple[list[Any], int]:
        query = {"after": after, "wait": wait, "limit": _PAGE}
        page = self.http.get_json(self.path, query, wait=wait)
        items = page.get("items") if isinstance(page, dict) else None
        following = page.get("next") if isinstance(page, dict) else None
        if not isinstance(items, list) or not isinstance(following, int) or following < after:
            raise FetchError("failed", f"{self.path} answered what is no page of a feed.")
        return items, following


def _position(item: object, before: int) -> int:
    """An organisation's lines are numbered by their offset, a server's by their position."""
    found = item.get("position", item.get("offset")) if isinstance(item, dict) else None
    return found if isinstance(found, int) else before


def _manifest(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return {name: value for name, value in item.items() if name != "position"}
