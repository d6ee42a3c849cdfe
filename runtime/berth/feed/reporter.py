"""Telling the portal which version is served here, and which was refused and why."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from berth import __version__
from berth.feed.http import FetchError, Http

log = logging.getLogger(__name__)
ORGANISATION_REPORTS = "/api/v1/feed/reports"
SERVER_REPORTS = "/api/v1/server/reports"
_EVERY = 10.0  # seconds


class Reporter:
    """Sends what `about` says, at each change and every ten seconds. A report that does not
    arrive is not kept: the next one says all of it again."""

    def __init__(
        self, http: Http, path: str, subscriber: str, kind: str, about: Callable[[], dict[str, Any]]
    ) -> None:
        """`subscriber` is a stable name of at most 100 characters, `kind` subscriber or server,
        `about()` gives `{"position": …, "models": […]}`, the models as Follower.models()."""
        self._http = http
        self._path = path
        self._head = {"subscriber": subscriber[:100], "kind": kind, "berth": __version__}
        self._about = about
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="berth-reports", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def changed(self) -> None:
        """Report soon."""
        self._changed.set()

    def close(self) -> None:
        """Send no more, and close the Http."""
        self._http.close()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _run(self) -> None:
        while not self._http.closed.is_set():
            self._changed.wait(_EVERY)
            self._changed.clear()
            try:
                self._http.post_json(self._path, self._report())
            except FetchError as error:
                log.info("No report could be sent: %s", error)
                self._http.sleep(1.0)

    def _report(self) -> dict[str, Any]:
        about = self._about()
        known = [told for told in about["models"] if told["status"] != "pending"]
        return {**self._head, **about, "models": known}
