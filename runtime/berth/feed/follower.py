"""The loop: from what a feed says to what is served, and nothing worse than before on the way.

One thread reads the source and keeps the newest line of each model. Others bring one model
after another to where its newest line says: fetch the Bundle, check it, hand it to the target
beside what runs. Whatever goes wrong there leaves the old version running, is told by
`models()`, and is tried again, with waits that grow.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth import bundle
from berth.feed.backoff import Backoff
from berth.feed.manifest import Manifest
from berth.feed.reading import Interest, Reader
from berth.feed.sources import Source
from berth.feed.store import Standing, Store
from berth.predictor import Predictor

log = logging.getLogger(__name__)
_FIRST_RETRY, _LAST_RETRY = 1.0, 300.0  # seconds


class Target(Protocol):
    """What serves. Called by one thread at a time for a model, by several for several."""

    def swap(self, manifest: Manifest) -> None:
        """Serve the version of this line from now on; its Bundle is in the store.

        Load it beside what runs (`load`) and swap, or only remember it and load when it is
        asked for; then call Follower.refuse() if it turns out not to work. Raising anything
        refuses the version, and what ran goes on.
        """

    def withdraw(self, manifest: Manifest) -> None:
        """Serve no version of this model any more. Must not raise."""


def load(
    store: Store, manifest: Manifest, public_key: Ed25519PublicKey, threads: int = 1
) -> Predictor:
    """The manifest's model, loaded from the store: digest and signature checked, and its golden
    rows answered. Raises FetchError, BundleError, OSError."""
    predictor = Predictor(bundle.read(store.read(manifest), public_key), threads)
    predictor.verify_golden()
    return predictor


@dataclass
class Followed:
    """One model on its way. `status`: pending, applied, refused or retired, of `newest`."""

    newest: Manifest
    serving: Manifest | None = None
    status: str = "pending"
    code: str = ""
    detail: str = ""
    at: str = ""
    seconds: float = 0.0  # from the line's arrival to where it stands
    learned: float = field(default_factory=time.monotonic)
    due: float | None = 0.0  # monotonic time of the next attempt; None: none is needed
    backoff: Backoff = field(default_factory=lambda: Backoff(_FIRST_RETRY, _LAST_RETRY))
    busy: bool = False
    gone: bool = False  # the source tells of this model no more
    found: Exception | None = None  # what a target found out while the attempt still ran

    def now(self, status: str, error: Exception | None = None) -> None:
        """Where the newest line stands from now on."""
        self.status = status
        self.code = "" if error is None else _code(error)
        self.detail = "" if error is None else str(error)
        self.at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.seconds = round(time.monotonic() - self.learned, 3)
        self.due = None if error is None else time.monotonic() + self.backoff.next()

    def to_json(self) -> dict[str, Any]:
        """As a report says it."""
        return {
            "organisation": self.newest.organisation,
            "model": self.newest.model,
            "offset": self.newest.offset,
            "version": self.newest.version,
            "sha256": self.newest.sha256,
            "serving": self.serving and self.serving.version,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "at": self.at,
            "seconds": self.seconds,
        }


class Follower:
    """Keeps a target at what a source says. Safe to use from many threads."""

    def __init__(
        self,
        source: Source,
        store: Store,
        public_key: Ed25519PublicKey,
        target: Target,
        interest: Interest,
        *,
        workers: int = 2,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`workers`: how many models are brought at a time. `on_change` is called after each
        change of `models()`, from any thread, and should be quick."""
        self.source = source
        self.store = store
        self._target = target
        self._interest = interest
        self._on_change = on_change
        self._followed: dict[tuple[str, str], Followed] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._has_settled = False
        self.reader = Reader(source, store, public_key, interest, self)
        self._threads = [threading.Thread(target=self.reader.run, name="berth-feed", daemon=True)]
        self._threads += [
            threading.Thread(target=self._work, name=f"berth-feed-{n}", daemon=True)
            for n in range(workers)
        ]

    def start(self) -> None:
        """Serve what the disk holds, and follow from then on. Raises OSError."""
        self.resume()
        self.follow()

    def resume(self) -> None:
        """Serve what the disk holds; the first half of `start`. Raises OSError."""
        self.store.sweep()
        for standing in self.store.standings():
            if self._interest.covers(standing.newest):
                self._followed[standing.newest.key] = self._resumed(standing)

    def follow(self) -> None:
        """Follow from now on; the second half of `start`."""
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float, or_until: Callable[[], bool] = lambda: False) -> bool:
        """Wait until the feed was read to its end and each model was tried, which once it came
        to that holds for good, or until the condition holds, which is looked at after each
        change; whether it came to that in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_settled() or or_until(), seconds)

    def models(self) -> list[dict[str, Any]]:
        """Where each model stands, as a report says it; `status` may be pending too."""
        with self._changed:
            known = {key: followed.to_json() for key, followed in self._followed.items()}
        for key, doubted in self.reader.doubts().items():
            known[key] = {**known.get(key, {"serving": None, "seconds": 0.0}), **doubted}
        return list(known.values())

    def refuse(self, manifest: Manifest, error: Exception) -> None:
        """A target that loads later found that this version does not work: say so, and hand
        it the version again after a while, unless a newer line comes before."""
        with self._changed:
            followed = self._followed.get(manifest.key)
            if followed is None or followed.newest.offset != manifest.offset:
                return
            if followed.status == "refused":  # it is to be tried again already
                return
            if followed.busy:
                followed.found = error
                return
            followed.now("refused", error)
            self._changed.notify_all()
        self._on_change()

    def close(self) -> None:
        """Stop following; what is served stays. The threads end within a second or two."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.reader.closed.set()
        self.source.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(1.0)

    def learn(self, manifests: list[Manifest]) -> None:
        """For the reader: newer lines, already kept in the store."""
        with self._changed:
            for manifest in manifests:
                known = self._followed.get(manifest.key)
                if known is None:
                    self._followed[manifest.key] = Followed(manifest)
                elif manifest.offset > known.newest.offset:
                    renewed = Followed(manifest, known.serving, busy=known.busy)
                    self._followed[manifest.key] = renewed
            self._changed.notify_all()

    def forget_all_but(self, keys: set[tuple[str, str]]) -> None:
        """For the reader: every other model is told of no more."""
        with self._changed:
            for key in self._followed.keys() - keys:
                known = self._followed[key]
                if known.gone:  # each quiet end of the feed says so again
                    continue
                gone = Followed(known.newest, known.serving, busy=known.busy, gone=True)
                self._followed[key] = gone
            self._changed.notify_all()

    def heard(self) -> None:
        """For the reader: something about it changed."""
        with self._changed:
            self._changed.notify_all()
        self._on_change()

    def _is_settled(self) -> bool:
        if not self._has_settled and self.reader.has_caught_up:
            tried = all(known.status != "pending" for known in self._followed.values())
            self._has_settled = tried
        return self._closed or self._has_settled

    def _resumed(self, standing: Standing) -> Followed:
        """What the disk says is served again before anything is asked of the source."""
        followed = Followed(standing.newest)
        if not standing.newest.serves(self._interest.architecture):
            self._target.withdraw(standing.newest)
            followed.now("retired")
        elif standing.applied is not None:
            try:
                self._target.swap(standing.applied)
            except Exception as error:  # noqa: BLE001  (a target may raise anything)
                log.warning(
                    "%s: what the disk holds can't be served: %s", standing.newest.key, error
                )
            else:
                followed.serving = standing.applied
                if standing.applied.offset == standing.newest.offset:
                    followed.now("applied")
        return followed

    def _work(self) -> None:
        while (followed := self._next()) is not None:
            error = self._attempt(followed)
            serves = self._serves(followed)
            with self._changed:
                current = self._followed[followed.newest.key]  # another one if news came
                current.busy = False
                error, followed.found = error or followed.found, None
                if error is None:
                    current.serving = followed.newest if serves else None
                if current is followed:
                    done = "applied" if serves else "retired"
                    current.now(done if error is None else "refused", error)
                self._changed.notify_all()
            self._on_change()

    def _next(self) -> Followed | None:
        """The model whose attempt is due, marked as busy; None at the end."""
        with self._changed:
            while not self._closed:
                waiting = [
                    known
                    for known in self._followed.values()
                    if known.due is not None and not known.busy
                ]
                first = min(waiting, key=lambda known: known.due or 0.0, default=None)
                if first is not None and (first.due or 0.0) <= time.monotonic():
                    first.busy = True
                    return first
                left = None if first is None else (first.due or 0.0) - time.monotonic()
                self._changed.wait(left)
            return None

    def _attempt(self, followed: Followed) -> Exception | None:
        """Bring the model to its line; why not, if it didn't work."""
        manifest = followed.newest
        try:
            if not self._serves(followed):
                self._target.withdraw(manifest)
                if followed.gone:
                    self.store.forget(manifest.key)
                else:
                    self.store.retire(manifest)
                return None
            self.store.bring(manifest, lambda into: self.source.fetch(manifest, into))
            self._target.swap(manifest)
            self.store.apply(manifest)
        except Exception as error:  # noqa: BLE001  (a target may raise anything; the loop goes on)
            if not self._closed:
                log.warning("%s version %s is refused: %s", manifest.key, manifest.version, error)
            return error
        return None

    def _serves(self, followed: Followed) -> bool:
        return not followed.gone and followed.newest.serves(self._interest.architecture)


def _code(error: Exception) -> str:
    """The stable code that a report gives: the error's own, else what kind it is."""
    own = getattr(error, "code", None)
    if isinstance(own, str):
        return own
    return "disk" if isinstance(error, OSError) else "unusable"
