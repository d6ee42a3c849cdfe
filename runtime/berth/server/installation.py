"""Whose Bundles are run: the installation's public key, pinned, remembered or asked for once."""

import logging

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from berth.feed.backoff import Backoff
from berth.feed.files import write_whole
from berth.feed.http import FetchError, Http
from berth.feed.manifest import public_key
from berth.server.options import Options

log = logging.getLogger("berth.server")
ADDRESS = "/api/v1/server/public-key"
_FILE = "public-key.json"


def learn_key(options: Options) -> Ed25519PublicKey:
    """The pinned key, else the one that this folder remembers, else the portal's, which is then
    remembered; waits for the portal as long as it takes.

    Raises ValueError for a key that is none, FetchError where the token is not taken, OSError.
    """
    if options.public_key:
        return public_key(options.public_key)
    path = options.home / _FILE
    if path.exists():
        return known_key(options)
    found = _ask(options)
    options.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, orjson.dumps({"ed25519": found}))
    return public_key(found)


def known_key(options: Options) -> Ed25519PublicKey:
    """The key, which `learn_key` has learnt. Raises ValueError, OSError."""
    if options.public_key:
        return public_key(options.public_key)
    return public_key(orjson.loads((options.home / _FILE).read_bytes())["ed25519"])


def _ask(options: Options) -> str:
    http, backoff = Http(options.feed, options.token), Backoff()
    while True:
        try:
            return str(http.get_json(ADDRESS, {})["ed25519"])
        except FetchError as error:
            if error.code == "denied":
                raise
            log.warning("Waiting for the portal: %s", error)
            http.sleep(backoff.next())
