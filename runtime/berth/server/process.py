"""One server process: the application, and what runs beside its requests."""

import asyncio
import fcntl
import gc
import itertools
import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.feed.backoff import Backoff
from berth.feed.follower import Follower
from berth.feed.http import Http
from berth.feed.manifest import Manifest
from berth.feed.reading import Interest
from berth.feed.reporter import SERVER_REPORTS, Reporter
from berth.feed.sources import Away, CaughtUp, Line, Source
from berth.feed.store import Store
from berth.journal import Journal
from berth.server import installation
from berth.server.app import Application
from berth.server.inference import Inference
from berth.server.keyring import KeyRing
from berth.server.metrics import Metrics
from berth.server.options import Options
from berth.server.shelf import Shelf
from berth.server.shipping import Shipper
from berth.server.sources import sources
from berth.server.target import ShelfTarget

log = logging.getLogger("berth.server")
_INTEREST = Interest("dedicated")
_EVERY = 1.0  # seconds between the looks at the disk
_FIRST_RETRY, _LAST_RETRY = 0.25, 2.0  # seconds: a revocation must not wait for longer
_PATIENCE = 5.0  # seconds that the end waits for the portal to take the last records


class KeyFollower:
    """Keeps the ring at what the keys' feed says, from a thread of its own."""

    def __init__(self, source: Source, ring: KeyRing) -> None:
        self.source = source
        self.ring = ring
        self.heard_at: float | None = None
        self._backoff = Backoff(_FIRST_RETRY, _LAST_RETRY)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="berth-keys", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self.source.close()
        self._thread.join(1.0)

    def _run(self) -> None:
        """Until close(), whatever comes: revocations and readiness depend on this thread."""
        while not self._closed.is_set():
            try:
                self._follow()
            except Exception:
                log.exception("Reading the keys failed; it begins again")
                self._closed.wait(self._backoff.next())
            else:
                return

    def _follow(self) -> None:
        for event in self.source.lines(self.ring.position):
            match event:
                case Line():
                    self.ring.apply(event.position, event.document)
                case CaughtUp():
                    self.heard_at = time.monotonic()
                    self._backoff.reset()
                    self._save()
                case Away():
                    log.warning("Keys can't be heard of, known ones are honoured: %s", event.reason)

    def _save(self) -> None:
        try:
            self.ring.save()
        except OSError as error:
            log.error("The disk does not keep the keys: %s", error)


class Process:
    """All of one process, put together; Granian calls `__rsgi__` and its companions."""

    def __init__(self, options: Options, public_key: Ed25519PublicKey) -> None:
        self.options = options
        self.store = Store(options.home, public_key)
        self.shelf = Shelf(self.store.read, public_key, options.memory, self._broken)
        self.ring = KeyRing(options.home / "keys.json")
        self.journal = Journal(options.journal)
        self.shipper = Shipper(options.journal, Http(options.feed, options.token))
        self.target = ShelfTarget(self.shelf, self.store, public_key)
        models, keys = sources(options, public_key)
        self.follower = Follower(
            models, self.store, public_key, self.target, _INTEREST, on_change=self._changed
        )
        self.keys = KeyFollower(keys, self.ring)
        self.figures = Metrics(Path(options.figures), self._gauges)
        self.number, self._slot = _slot(options.home)
        name = f"{socket.gethostname()}:{options.port}/{self.number}"
        http = Http(options.feed, options.token)
        self.reporter = Reporter(http, SERVER_REPORTS, name, "server", self._standing)
        self.application = Application(
            Inference(self.shelf, self.journal),
            self.ring,
            self.figures,
            self.missing,
            token=options.token if options.token.startswith("st_") else "",
            metrics_need_key=options.metrics_need_key,
        )
        self._from_disk = False
        self._disk: str | None = None
        self._waiting = 0
        self._set_aside = 0
        self._ended = threading.Event()
        self.__rsgi__ = self.application.__call__

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start from the disk, then follow. Called before the process takes a request."""
        self.follower.resume()
        self.target.starting = False  # before news comes: that must answer its golden rows
        self.follower.follow()
        self._from_disk = len(self.shelf) > 0
        self.keys.start()
        self.shipper.start()
        self.reporter.start()
        gc.collect()
        gc.freeze()  # what is there by now stays; the collector need not look at it again
        threading.Thread(target=self._tend, name="berth-tend", daemon=True).start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The last answer is out: close the journal, and ship what it holds."""
        self.application.close()
        self._ended.set()
        self.reporter.close()
        self.follower.close()
        self.keys.close()
        self.journal.close()
        self.shipper.close(_PATIENCE)

    def missing(self) -> list[str]:
        """What keeps this process from being ready: nothing, once it has read both feeds to
        their ends or has started from its disk, and the disk takes records."""
        found = []
        if not self._from_disk and not self.follower.wait(0):
            found.append("the models are still being brought")
        if self.keys.heard_at is None and not self.ring.position:
            found.append("the keys are not known yet")
        if self._disk:
            found.append(f"the disk takes no records: {self._disk}")
        return found

    def _tend(self) -> None:
        while not self._ended.wait(_EVERY):
            self._disk = _writable(self.options.home)
            try:
                self._waiting = self.shipper.waiting()
                self._set_aside = self.shipper.set_aside()
                self.figures.leave()
            except OSError as error:
                log.warning("Metrics can't be shared: %s", error)

    def _broken(self, manifest: Manifest, error: Exception) -> None:
        """What lies on the disk can't be loaded: have it brought anew."""
        self.follower.refuse(manifest, error)

    def _changed(self) -> None:
        self.reporter.changed()

    def _standing(self) -> dict[str, Any]:
        """For a report."""
        position = self.follower.reader.position
        return {"position": position, "models": self.follower.models()}

    def _gauges(self) -> dict[str, float]:
        now = time.monotonic()
        found: dict[str, float] = {
            "berth_models": len(self.shelf),
            "berth_models_loaded": len(self.shelf.loaded),
            "berth_models_loaded_bytes": self.shelf.loaded.nbytes,
            "berth_models_evicted_total": self.shelf.loaded.evicted,
            "berth_keys": len(self.ring),
            "berth_journal_waiting_bytes": self._waiting,
            "berth_journal_set_aside": self._set_aside,
            "berth_ready": float(not self.missing()),
        }
        heard = {"feed": self.follower.reader.heard_at, "keys": self.keys.heard_at}
        lags = {f"berth_{name}_lag_seconds": now - at for name, at in heard.items() if at}
        return found | lags


def _slot(folder: Path) -> tuple[int, IO[bytes]]:
    """A number that no other process of the folder has, from 1: a process that is started anew
    reports under the name of the one that it takes the place of. Held by the open file."""
    for number in itertools.count(1):
        file = (folder / "locks" / f"process-{number}").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
        else:
            return number, file
    raise AssertionError("Numbers do not end.")


def _writable(folder: Path) -> str | None:
    """Why nothing can be written there, if nothing can."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return None


def application() -> Process:
    """For Granian, in each process that it starts."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    options = Options.handed_down()
    return Process(options, installation.known_key(options))
