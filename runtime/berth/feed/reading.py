"""The follower's reader: from a source's lines to the newest checked manifest of each model."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeGuard

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.feed.backoff import Backoff
from berth.feed.manifest import Manifest, ManifestError, parsed
from berth.feed.sources import Away, CaughtUp, Line, Source
from berth.feed.store import Store

log = logging.getLogger(__name__)
_FIRST_REREAD, _LAST_REREAD = 1.0, 300.0  # seconds
_SOON = 3.0  # seconds
_LONGEST_NAME = 63  # letters, as the portal has it


@dataclass(frozen=True)
class Interest:
    """Which lines a follower acts on: None means every organisation, every model."""

    architecture: str
    organisation: str | None = None
    models: frozenset[str] | None = None

    def covers(self, manifest: Manifest) -> bool:
        return self.covers_key(manifest.organisation, manifest.model)

    def covers_key(self, organisation: object, model: object) -> bool:
        return self.organisation in (None, organisation) and (
            self.models is None or model in self.models
        )

    @property
    def name(self) -> str:
        """Whoever begins to follow another model must read from the start again."""
        models = "*" if self.models is None else ",".join(sorted(self.models))
        return f"{self.architecture} {self.organisation or '*'} {models}"


class Learner(Protocol):
    """What a reader tells: see Follower's methods of these names."""

    def learn(self, manifests: list[Manifest]) -> None: ...
    def forget_all_but(self, keys: set[tuple[str, str]]) -> None: ...
    def heard(self) -> None: ...


class Reader:
    """Reads one source until it is closed.

    A line that can't be trusted is not passed over: what comes after it counts, but the
    position that is kept stays before it, and from there it is read again after a while,
    since it may have been spoilt on its way.
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        public_key: Ed25519PublicKey,
        interest: Interest,
        learner: Learner,
    ) -> None:
        self._source = source
        self._store = store
        self._public_key = public_key
        self._interest = interest
        self._learner = learner
        self._name = f"{source.name} {interest.name}"
        self._position = self._kept = store.position(self._name)
        self._heard: dict[tuple[str, str], Manifest] = {}
        self._told: set[tuple[str, str]] = set()
        self._spoilt: int | None = None  # the position before the first doubtful line
        self._reread_at = 0.0
        self._doubts: dict[tuple[str, str], dict[str, Any]] = {}
        self._backoff = Backoff(_FIRST_REREAD, _LAST_REREAD)
        self.closed = threading.Event()
        self.has_caught_up = False
        self.away: str | None = None  # why the source can't be read, if it can't
        self.heard_at: float | None = None  # monotonic time of the last word from the source

    @property
    def position(self) -> int:
        """How far the source was read."""
        return self._position

    def doubts(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Lines that claim to be about a model and can't be trusted, as a report says it."""
        return dict(self._doubts)

    def run(self) -> None:
        """Read until the source is closed.

        From where it stood when this was made, before the standings were read: another process
        of the folder may have kept both further on meanwhile. From the start where a standing
        could not be read, since the store then forgot how far it was.
        """
        self._kept = self._store.position(self._name)
        self._position = min(self._position, self._kept)
        while not self.closed.is_set():
            try:
                if not self._read():
                    return
            except Exception as error:
                log.exception("Reading the feed failed; it begins again")
                self._lost(str(error))
                self.closed.wait(self._backoff.next())

    def _read(self) -> bool:
        """Read on; whether to begin anew, from before a doubtful line."""
        spoilt_before, self._spoilt = self._spoilt, None
        if spoilt_before is not None:
            self._position = spoilt_before
        self._told.clear()
        for event in self._source.lines(self._position):
            match event:
                case Line():
                    self._hear(event)
                case CaughtUp():
                    self._settle(event)
                    if self._must_reread():
                        return True
                case Away():
                    self._lost(event.reason)
        return False

    def _must_reread(self) -> bool:
        """Whether it is time to; if it soon is, nothing is awaited but that."""
        left = self._reread_at - time.monotonic()
        if self._spoilt is None or left > _SOON:
            return False
        self.closed.wait(max(0.0, left))
        return True

    def _hear(self, line: Line) -> None:
        before, self._position = self._position, line.position
        try:
            manifest = Manifest.read(line.document, self._public_key)
        except Exception as error:  # noqa: BLE001  (no line may be passed over unjudged)
            self._doubt(line, error, before)
            return
        if not self._interest.covers(manifest):
            return
        self._told.add(manifest.key)
        known = self._heard.get(manifest.key)
        if known is None or manifest.offset > known.offset:
            self._heard[manifest.key] = manifest
            self._keep_inline(manifest, line.inline)

    def _keep_inline(self, manifest: Manifest, inline: bytes | None) -> None:
        """What came along needs no fetching, and no place in memory until then. If it can't be
        kept, or is not the right file, it is fetched like any other."""
        if inline is None or not manifest.serves(self._interest.architecture):
            return

        def write(into: Path) -> None:
            into.write_bytes(inline)

        try:
            self._store.learn(manifest)
            self._store.bring(manifest, write)
        except Exception as error:  # noqa: BLE001  (to fetch it is the way out of anything)
            log.warning("The file that came with %s can't be kept: %s", manifest.key, error)

    def _settle(self, event: CaughtUp) -> None:
        self._position = event.position
        self.away, self.heard_at = None, time.monotonic()
        heard, self._heard = list(self._heard.values()), {}
        if self._spoilt is None:
            self._doubts = {}
            self._backoff.reset()
        self._keep(heard)
        self._learner.learn(heard)
        if event.whole and self._spoilt is None:
            self._learner.forget_all_but(set(self._told))
        was, self.has_caught_up = self.has_caught_up, True
        if heard or not was or self._doubts:
            self._learner.heard()

    def _keep(self, heard: list[Manifest]) -> None:
        position = self._position if self._spoilt is None else self._spoilt
        try:
            for manifest in heard:
                self._store.learn(manifest)
            if position != self._kept:
                self._store.seek(self._name, position)
                self._kept = position
        except OSError as error:  # the next start reads again what could not be kept
            log.error("The disk does not keep what the feed says: %s", error)

    def _lost(self, reason: str) -> None:
        if self.away is None:
            log.warning("The feed is away, what is served stays: %s", reason)
        self.away = reason
        self._learner.heard()

    def _doubt(self, line: Line, error: Exception, before: int) -> None:
        log.error("A line of the feed is refused (%s): %s", _code(error), error)
        if self._spoilt is None:
            self._spoilt = before
            self._reread_at = time.monotonic() + self._backoff.next()
        try:
            claimed = parsed(line.document)
        except (ManifestError, ValueError, RecursionError):
            return
        key = (claimed.get("organisation"), claimed.get("model"))
        if _are_names(key) and self._interest.covers_key(*key):
            self._doubts[key] = _refused(claimed, error)


def _are_names(key: tuple[object, object]) -> TypeGuard[tuple[str, str]]:
    return all(isinstance(part, str) and 0 < len(part) <= _LONGEST_NAME for part in key)


def _code(error: Exception) -> str:
    return error.code if isinstance(error, ManifestError) else "bad_manifest"


def _refused(claimed: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """What a report says of a line: nothing that it claims is believed but its name."""
    return {
        "organisation": claimed["organisation"],
        "model": claimed["model"],
        "offset": _whole(claimed.get("offset")) or 0,
        "version": _whole(claimed.get("version")),
        "sha256": None,
        "status": "refused",
        "code": _code(error),
        "detail": str(error),
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 1 << 53 else None
