"""The model feed out of Apache Kafka; needs the extra `berth[kafka]`."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.feed.backoff import Backoff
from berth.feed.frames import INLINE, KEYS, MANIFEST, MARK, MODELS, Mark, read_key, read_mark
from berth.feed.http import FetchError, Http
from berth.feed.manifest import Manifest, ManifestError
from berth.feed.sources import Away, CaughtUp, Line
from berth.feed.topic import End, Record, Silent, Topic, TopicLost

log = logging.getLogger(__name__)
_BESIDE = 32 << 20  # bytes of Bundles that the first reading keeps; the others are read again
_FETCH_SECONDS = 30.0


class KafkaSource:
    """A topic of the model feed as a Source: whole at the start, then line by line."""

    def __init__(
        self,
        bootstrap_servers: str,
        public_key: Ed25519PublicKey | None,
        *,
        topic: str = MODELS,
        http: Http | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """`public_key` is the installation's; None only where Kafka is trusted as the portal.

        `http` fetches the Bundles that are too large for Kafka: the portal's address, and a key
        that may read them. `properties` are librdkafka's (`security.protocol` and so on).
        """
        self._servers, self._key, self._http = bootstrap_servers, public_key, http
        self._topic = Topic(bootstrap_servers, topic, properties)
        self._places: dict[str, int] = {}  # of a Bundle's digest: the record that holds it
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return f"kafka://{self._servers}/{self._topic.name}"

    def lines(self, after: int) -> Iterator[Line | CaughtUp | Away]:
        """See Source. Reads the topic from its beginning whatever `after` says, since compaction
        leaves no more there than each model's newest lines."""
        return _again(self._topic, self._once)

    def fetch(self, manifest: Manifest, into: Path) -> None:
        """See Source."""
        with self._lock:
            place = self._places.get(manifest.sha256 or "")
        if place is not None and (data := self._reread(place)) is not None:
            into.write_bytes(data)
            return
        if manifest.address is None or manifest.size is None or manifest.sha256 is None:
            raise FetchError("missing", "Nothing is live.")
        if self._http is None:
            detail = "Kafka does not hold this Bundle: the portal's address and a key are needed."
            raise FetchError("missing", detail)
        self._http.download(manifest.address, into, manifest.size, manifest.sha256)

    def close(self) -> None:
        """See Source."""
        self._topic.close()
        if self._http is not None:
            self._http.close()

    def _once(self) -> Iterator[Line | CaughtUp | Away]:
        """One reading of the topic, from its beginning on."""
        first: _Newest | None = _Newest()
        mark: Mark | None = None
        for told in self._topic.read():
            if isinstance(told, Silent):
                yield Away(told.reason)
            elif isinstance(told, End):
                yield from first.lines() if first else ()
                first = None
                yield CaughtUp(told.offset, whole=mark is not None and mark.complete)
            elif told.key == MARK:
                mark = read_mark(told.value, self._topic.name, self._key)
                if first is None and mark is not None:  # half a second before the topic's End
                    yield CaughtUp(told.offset, mark.complete)
            elif MANIFEST not in told.headers:
                log.warning("%s: no manifest with the record at %d", self.name, told.offset)
            else:
                yield from self._line(told, first)

    def _line(self, record: Record, first: "_Newest | None") -> Iterator[Line]:
        """The record's line, unless it is kept for the end of the first reading."""
        document = record.headers[MANIFEST]
        try:
            manifest = Manifest.read(document, self._key)
        except ManifestError:  # whoever follows says so where people can see it
            yield Line(record.offset, document)
            return
        inline = record.value if record.headers.get(INLINE) == b"1" else None
        if inline is not None and manifest.sha256 is not None:
            with self._lock:
                self._places[manifest.sha256] = record.offset
        line = Line(record.offset, document, inline)
        if first is None:
            yield line
        else:
            first.keep(manifest, line)

    def _reread(self, offset: int) -> bytes | None:
        try:
            record = self._topic.at(offset, _FETCH_SECONDS)
        except TopicLost as error:
            raise FetchError("unreachable", str(error)) from error
        return record.value if record is not None else None


class KafkaKeys:
    """The feed of keys, for a server of the installation, as a Source of which one fetches
    nothing: a line's document is a key's, its position the feed's own."""

    def __init__(
        self,
        bootstrap_servers: str,
        public_key: Ed25519PublicKey | None,
        *,
        topic: str = KEYS,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """As KafkaSource."""
        self._servers, self._key = bootstrap_servers, public_key
        self._topic = Topic(bootstrap_servers, topic, properties)

    @property
    def name(self) -> str:
        return f"kafka://{self._servers}/{self._topic.name}"

    def lines(self, after: int) -> Iterator[Line | CaughtUp | Away]:
        """See Source. Reads the topic from its beginning whatever `after` says."""
        return _again(self._topic, self._once)

    def fetch(self, manifest: Manifest, into: Path) -> None:
        """See Source."""
        raise FetchError("missing", "No Bundle comes with the feed of keys.")

    def close(self) -> None:
        """See Source."""
        self._topic.close()

    def _once(self) -> Iterator[Line | CaughtUp | Away]:
        mark: Mark | None = None
        for told in self._topic.read():
            if isinstance(told, Silent):
                yield Away(told.reason)
            elif isinstance(told, End):
                yield CaughtUp(mark.position) if mark else Away(f"{self.name} holds nothing yet.")
            elif told.key == MARK:
                mark = read_mark(told.value, self._topic.name, self._key)
            elif (document := read_key(told.value, self._key)) is None:
                log.error("%s: what stands at %d is not sealed", self.name, told.offset)
            else:
                yield Line(document.pop("position"), document)


def _again(
    topic: Topic, once: Callable[[], Iterator[Line | CaughtUp | Away]]
) -> Iterator[Line | CaughtUp | Away]:
    """Read the topic, and anew from its beginning whenever it was lost."""
    backoff = Backoff(most=5.0)
    while not topic.closed.is_set():
        try:
            for told in once():
                if isinstance(told, CaughtUp):
                    backoff.reset()
                yield told
        except TopicLost as error:
            yield Away(str(error))
            topic.closed.wait(backoff.next())


class _Newest:
    """Of each model the line with the highest offset, with Bundles as far as there is room."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], tuple[int, Line]] = {}
        self._room = _BESIDE

    def keep(self, manifest: Manifest, line: Line) -> None:
        """Take the line in unless a newer one is there."""
        before = self._lines.get(manifest.key)
        if before is not None:
            if before[0] >= manifest.offset:
                return
            self._room += len(before[1].inline or b"")
        if len(line.inline or b"") > self._room:
            line = replace(line, inline=None)
        self._room -= len(line.inline or b"")
        self._lines[manifest.key] = (manifest.offset, line)

    def lines(self) -> list[Line]:
        """What was kept, in the feed's order."""
        return sorted((line for _, line in self._lines.values()), key=lambda line: line.position)
