"""The records of answered calls, from this machine's journal to the portal's.

A closed file goes as it is, and is deleted when the portal has it on its own disk. The records'
ids make it harmless that one is sent twice. Of several processes that share the folder one ships.
"""

import fcntl
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from berth.feed.backoff import Backoff
from berth.feed.http import FetchError, Http
from berth.journal import OPEN, READY, held, line_of, records_of, sweep

log = logging.getLogger("berth.server")
ADDRESS = "/api/v1/server/predictions"
CONTENT_TYPE = "application/x-berth-journal"
_BAD = ".bad"
_EVERY = 1.0  # seconds between looks at the folder
# The portal's own words that the file itself is refused: it never will be taken.
_UNTAKEABLE = frozenset({"bad_journal", "foreign_record", "bad_name", "too_large"})
# What is so for every file: the others are not even tried.
_GENERAL = frozenset({0, 401, 403, 429, 502, 503, 504})


class Shipper:
    """Ships what lies in `folder` from a thread of its own until `close()`."""

    def __init__(self, folder: Path, http: Http) -> None:
        self.folder = folder
        self._http = http
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="berth-shipper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, patience: float) -> None:
        """Ship what is there, for `patience` seconds at most; what is left stays on the disk."""
        self._closed.set()
        self._thread.join(patience)

    def waiting(self) -> int:
        """Bytes on disk that the portal has not taken yet."""
        if not self.folder.is_dir():
            return 0
        return sum(entry.stat().st_size for entry in self._files())

    def set_aside(self) -> int:
        """Files that the portal has refused for good."""
        return sum(1 for _ in self.folder.glob(f"*{_BAD}"))

    def _files(self) -> list[Path]:
        found = (path for path in self.folder.iterdir() if path.suffix in (OPEN, READY))
        return sorted(found)

    def _run(self) -> None:
        backoff = Backoff()
        while True:
            ending = self._closed.is_set()  # what was closed before this is shipped once more
            try:
                self.ship()
                backoff.reset()
                pause = _EVERY
            except (FetchError, OSError) as error:
                log.warning("Records wait, the portal does not take them: %s", error)
                pause = backoff.next()
            if ending:
                return
            self._closed.wait(pause)

    def ship(self) -> int:
        """Ship every file that is closed or whose process is gone; returns how many.

        Raises FetchError when the portal does not take one just now, OSError; those behind it
        are shipped first where the trouble is with the one alone.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder.with_suffix(".lock")) as alone:
            return self._ship_all() if alone else 0

    def _ship_all(self) -> int:
        sweep(self.folder)
        shipped, trouble = 0, None
        for path in self._files():
            try:
                shipped += self._ship(path)
            except (FetchError, OSError) as error:
                if isinstance(error, FetchError) and error.status in _GENERAL:
                    raise
                trouble = trouble or error
        if trouble:
            raise trouble
        return shipped

    def _ship(self, path: Path) -> bool:
        with held(path) as data:
            if data is None:
                return False
            try:
                if data:
                    self._send(path.stem, data)
            except FetchError as error:
                if error.problem not in _UNTAKEABLE:
                    raise
                log.error("The portal refuses %s, which is set aside: %s", path.name, error)
                path.rename(path.with_suffix(_BAD))
                return False
            path.unlink()
        return True

    def _send(self, name: str, data: bytes) -> None:
        """Send a file; what is too large for the portal or a proxy before it, in halves, whose
        names are the same when they are sent again."""
        try:
            headers = {"Content-Type": CONTENT_TYPE, "X-Journal-Name": name}
            self._http.post(ADDRESS, data, headers)
        except FetchError as error:
            records, _, _ = records_of(data)
            if error.status != 413 or len(records) < 2:
                raise
            half = len(records) // 2
            for part, some in enumerate((records[:half], records[half:])):
                part_name = str(uuid5(NAMESPACE_URL, f"{name}/{part}"))
                self._send(part_name, b"".join(map(line_of, some)))


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether no other process has the lock; it is kept meanwhile."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
