"""What a follower keeps on disk: Bundles by their SHA-256, each model's standing, positions.

    bundles/<sha256>              a Bundle; <sha256>.part: one that is still coming
    models/<organisation>,<model>.json    its Standing: signed manifests
    models/….unreadable           a Standing that could not be read, until it is told anew
    positions.json                how far each source was read
    locks/                        empty files

Processes may share a folder. Whatever is read is checked again: a file's digest, a manifest's
seal. A kill at any moment leaves each file as it was or as it should be, and the order of the
writes makes every state between two files one from which following goes on: a manifest is
kept before the position moves past it, a Bundle is there before it counts as applied.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.bundle import canonical
from berth.feed.files import UNFINISHED, locked, move_whole, write_whole
from berth.feed.http import FetchError
from berth.feed.manifest import Manifest, ManifestError

log = logging.getLogger(__name__)
ASIDE = ".unreadable"  # a standing that is not what was written there


@dataclass(frozen=True)
class Standing:
    """What is known of one model: the newest line about it, the one whose version is served,
    and the one served before that. None where there is none."""

    newest: Manifest
    applied: Manifest | None = None
    before: Manifest | None = None

    def learn(self, manifest: Manifest) -> "Standing":
        """With a newer line; an older one changes nothing."""
        return replace(self, newest=manifest) if manifest.offset > self.newest.offset else self

    def apply(self, manifest: Manifest) -> "Standing":
        """With a line's version served, unless a newer line's is."""
        if self.applied is None:
            return replace(self.learn(manifest), applied=manifest)
        if manifest.offset <= self.applied.offset:
            return self
        same = manifest.sha256 == self.applied.sha256
        before = self.before if same else self.applied
        return replace(self.learn(manifest), applied=manifest, before=before)

    def retire(self, manifest: Manifest) -> "Standing":
        """With nothing served, unless a newer line says otherwise."""
        return self if self.newest.offset > manifest.offset else Standing(manifest)

    def digests(self) -> set[str]:
        """The Bundles that are needed."""
        known = (self.newest, self.applied, self.before)
        return {found.sha256 for found in known if found is not None and found.sha256}


class Store:
    """One folder. Every verb raises OSError where the disk fails."""

    def __init__(self, folder: Path | str, public_key: Ed25519PublicKey) -> None:
        self.folder = Path(folder)
        self._public_key = public_key
        self._bundles = self.folder / "bundles"
        self._models = self.folder / "models"
        self._locks = self.folder / "locks"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in (self._bundles, self._models, self._locks):
            part.mkdir(exist_ok=True)

    def standings(self) -> Iterator[Standing]:
        """What is known of every model."""
        for path in sorted(self._models.glob("*.json")):
            if (found := self._read(path)) is not None:
                yield found

    def standing(self, key: tuple[str, str]) -> Standing | None:
        """What is known of the model `(organisation, slug)`."""
        return self._read(self._model(key))

    def learn(self, manifest: Manifest) -> None:
        """Remember a line, unless a newer one is known."""
        self._change(manifest, lambda known: known.learn(manifest))

    def apply(self, manifest: Manifest) -> None:
        """Remember that the line's version is served, and which one was before."""
        if self._change(manifest, lambda known: known.apply(manifest)):
            self.sweep()

    def retire(self, manifest: Manifest) -> None:
        """Remember that nothing is served any more, and drop what was; a Bundle that the line
        names stays, since the model may be served again."""
        if self._change(manifest, lambda known: known.retire(manifest)):
            self.sweep()

    def forget(self, key: tuple[str, str]) -> None:
        """Drop a model that is told of no more."""
        with self._locked("state"):
            self._model(key).unlink(missing_ok=True)
            self._model(key).with_suffix(ASIDE).unlink(missing_ok=True)
        self.sweep()

    def position(self, source: str) -> int:
        """How far the source was read; 0 where it never was."""
        found = self._positions().get(source, 0)
        return found if type(found) is int and found >= 0 else 0  # from the start is never wrong

    def seek(self, source: str, position: int) -> None:
        """Remember how far the source was read."""
        with self._locked("state"):
            known = {**self._positions(), source: position}
            write_whole(self.folder / "positions.json", canonical(known))

    def bring(self, manifest: Manifest, fetch: Callable[[Path], None]) -> None:
        """Have a live manifest's Bundle here; `fetch` brings it where it is not.

        Raises FetchError (`wrong_hash`, and what fetch raises). Of several processes one
        fetches, the others wait for it.
        """
        assert manifest.sha256 is not None
        with self._locked(manifest.sha256[:2]):
            if self._path(manifest.sha256).exists():
                return
            part = self._path(manifest.sha256).with_suffix(".part")
            fetch(part)
            if _digest(part) != manifest.sha256:
                part.unlink()
                raise FetchError("wrong_hash", "The file that came is not the one that was named.")
            move_whole(part, self._path(manifest.sha256))

    def read(self, manifest: Manifest) -> bytes:
        """The manifest's Bundle, its digest checked.

        Raises FetchError (`missing`; `wrong_hash`, and then it is dropped to be fetched anew).
        """
        assert manifest.sha256 is not None
        path = self._path(manifest.sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise FetchError("missing", "The model's file is not on this disk.") from error
        if sha256(data).hexdigest() != manifest.sha256:
            path.unlink(missing_ok=True)
            raise FetchError("wrong_hash", "The model's file was altered on this disk.")
        return data

    def sweep(self) -> None:
        """Delete the Bundles that no standing needs, and what a killed process left behind. None
        while a standing lies aside: nobody knows what it needed."""
        with self._locked("state"):
            needed = {digest for known in self.standings() for digest in known.digests()}
            if not any(self._models.glob(f"*{ASIDE}")):
                self._drop(path for path in self._bundles.iterdir() if path.stem not in needed)
            for path in self._models.glob(f"{UNFINISHED}*"):  # who writes here holds the lock
                path.unlink(missing_ok=True)

    def _drop(self, paths: Iterable[Path]) -> None:
        for path in paths:
            path.unlink(missing_ok=True)

    def _change(self, manifest: Manifest, change: Callable[[Standing], Standing]) -> bool:
        """Whether the change left a Bundle that this model needs no more."""
        path = self._model(manifest.key)
        with self._locked("state"):
            known = self._read(path)
            path.with_suffix(ASIDE).unlink(missing_ok=True)  # the feed told of it anew
            new = change(known or Standing(manifest))
            if known != new:
                write_whole(path, canonical(_to_json(new)))
        return known is not None and not known.digests() <= new.digests()

    def _read(self, path: Path) -> Standing | None:
        try:
            stored = orjson.loads(path.read_bytes())
            found = {
                name: Manifest.read(document, self._public_key)
                for name, document in stored.items()
                if document is not None
            }
            return Standing(**found)
        except FileNotFoundError:
            return None
        except (ManifestError, ValueError, TypeError, AttributeError) as error:
            log.error("%s is not what was written there, it is set aside: %s", path, error)
            with suppress(FileNotFoundError):  # another process may have been first
                path.replace(path.with_suffix(ASIDE))
            (self.folder / "positions.json").unlink(missing_ok=True)
            return None

    def _positions(self) -> Mapping[str, Any]:
        try:
            found = orjson.loads((self.folder / "positions.json").read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def _model(self, key: tuple[str, str]) -> Path:
        return self._models / f"{','.join(quote(part, safe='') for part in key)}.json"

    def _path(self, digest: str) -> Path:
        return self._bundles / digest

    def _locked(self, name: str) -> Any:
        return locked(self._locks / name)


def _to_json(standing: Standing) -> dict[str, Any]:
    known = {"newest": standing.newest, "applied": standing.applied, "before": standing.before}
    return {name: found and dict(found.document) for name, found in known.items()}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
