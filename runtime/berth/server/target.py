"""What the follower brings, put on the shelf."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.feed.follower import load
from berth.feed.manifest import Manifest
from berth.feed.store import Store
from berth.server.shelf import Copy, Shelf


class ShelfTarget:
    """The follower's Target: a new version is loaded and answers its golden rows before it is
    placed; what the disk holds at the start did so before, and is loaded when it is asked for."""

    def __init__(self, shelf: Shelf, store: Store, public_key: Ed25519PublicKey) -> None:
        self.starting = True
        self._shelf = shelf
        self._store = store
        self._public_key = public_key

    def swap(self, manifest: Manifest) -> None:
        """See Target."""
        copy = Copy.of(manifest)
        if copy is None:
            return self.withdraw(manifest)
        predictor = None if self.starting else load(self._store, manifest, self._public_key)
        return self._shelf.place(copy, self._before(manifest), predictor)

    def withdraw(self, manifest: Manifest) -> None:
        """See Target."""
        self._shelf.remove(manifest.organisation_id, manifest.model)

    def _before(self, manifest: Manifest) -> Copy | None:
        """The version that is kept beside the manifest's."""
        standing = self._store.standing(manifest.key)
        if standing is None or standing.applied is None:
            return None
        same = standing.applied.sha256 == manifest.sha256
        before = standing.before if same else standing.applied
        return None if before is None else Copy.of(before)
