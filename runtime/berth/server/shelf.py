"""The models that may be asked for, loaded when they are, forgotten when others need the room."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.bundle import BundleError
from berth.feed.http import FetchError
from berth.feed.manifest import Manifest
from berth.loaded import Loaded
from berth.predictor import Predictor
from berth.server.errors import ProtocolError
from berth.signature import Signature

log = logging.getLogger("berth.server")


@dataclass(frozen=True, slots=True)
class Copy:
    """A version as it may be asked for here; its Bundle lies on this machine's disk."""

    manifest: Manifest
    organisation_id: str
    model: str
    version: int
    sha256: str
    signature: Signature

    @classmethod
    def of(cls, manifest: Manifest) -> "Copy | None":
        """The version that a line makes live here; None where it makes none so."""
        about, sha256, version = manifest.signature, manifest.sha256, manifest.version
        if about is None or sha256 is None or version is None:
            return None
        return cls(manifest, manifest.organisation_id, manifest.model, version, sha256, about)


@dataclass(slots=True)
class _Standing:
    """A model: what answers, and versions that may still be asked for by their number."""

    live: Copy
    others: dict[int, Copy] = field(default_factory=dict)


class Shelf:
    """Thread-safe. `read` brings a manifest's Bundle, and raises FetchError or OSError; `broken`
    is told of one that can't be used."""

    def __init__(
        self,
        read: Callable[[Manifest], bytes],
        public_key: Ed25519PublicKey | None,
        most_bytes: int,
        broken: Callable[[Manifest, Exception], None] = lambda manifest, error: None,
    ) -> None:
        self.loaded: Loaded[str, Predictor] = Loaded(most_bytes)
        self._read = read
        self._public_key = public_key
        self._broken = broken
        self._models: dict[tuple[str, str], _Standing] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._models)

    def place(self, live: Copy, before: Copy | None, predictor: Predictor | None = None) -> None:
        """Let `live` answer from now on; `before` can still be asked for by its number."""
        if predictor is not None:
            self.loaded.put(live.sha256, predictor)
        others = {before.version: before} if before and before.version != live.version else {}
        with self._lock:
            self._models[live.organisation_id, live.model] = _Standing(live, others)

    def remove(self, organisation_id: str, model: str) -> None:
        """Let the model be asked for no more, if it could."""
        with self._lock:
            gone = self._models.pop((organisation_id, model), None)
        for copy in (gone.live, *gone.others.values()) if gone else ():
            self.loaded.drop(copy.sha256)

    def find(self, organisation_id: str, model: str, version: str | None) -> Copy:
        """The live version, or the one with this number.

        Raises ProtocolError 404, the same for what is not there and for what is another
        organisation's.
        """
        standing = self._models.get((organisation_id, model))
        if standing is None:
            raise ProtocolError(404, f'There is no model "{model}" here.')
        live = standing.live
        if version is None or version == str(live.version):
            return live
        found = next((o for o in standing.others.values() if str(o.version) == version), None)
        if found is None:
            detail = f'There is no version {version} of "{model}" here. Live is {live.version}.'
            raise ProtocolError(404, detail)
        return found

    def versions(self, copy: Copy) -> list[int]:
        """The numbers under which the copy's model may be asked for, lowest first."""
        standing = self._models.get((copy.organisation_id, copy.model))
        others = standing.others if standing else {}
        return sorted({copy.version, *others, *([standing.live.version] if standing else [])})

    def predictor(self, copy: Copy) -> Predictor:
        """The copy's Predictor, loaded from the disk if need be; then it takes its time.

        Raises ProtocolError 503 when the Bundle on the disk can't be used.
        """
        return self.loaded.get(copy.sha256, lambda: self._load(copy))

    def _load(self, copy: Copy) -> Predictor:
        try:
            return Predictor.from_bytes(self._read(copy.manifest), self._public_key)
        except (OSError, FetchError, BundleError) as error:
            log.error("%s %s can't be loaded: %s", copy.model, copy.version, error)
            self._broken(copy.manifest, error)
            detail = f'Version {copy.version} of "{copy.model}" can\'t be loaded just now.'
            raise ProtocolError(503, detail) from error
