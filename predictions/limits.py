"""Rate limits: how many calls a key and an organisation may make, exact across processes.

The buckets are those of ``berth.buckets``, kept in Valkey. All of a call's are tested and taken in
one Lua script, so a refused call costs none. While Valkey is away each process falls back to
buckets of its own.

Who calls often has calls taken ahead, in lots: a process asks Valkey for as many as came in the
last moment, at most a hundredth of what the limit allows at once. A limit is never exceeded, and a
low one is counted call by call.
"""

import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
import structlog
from redis.connection import Connection, parse_url
from redis.exceptions import NoScriptError

from berth.buckets import Bucket, Buckets
from portal.errors import RateLimited

__all__ = ["Bucket", "Limiter"]

log = structlog.get_logger()
LOT_SECONDS = 0.05  # a lot that lasts longer than this was too large
LOT_SHARE = 0.01  # of the calls that a full bucket holds

_SCRIPT = """
local now = redis.call('TIME')
local t = now[1] * 1000 + now[2] / 1000
local after = {}
for i, key in ipairs(KEYS) do
    local gap, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local empty = math.max(tonumber(redis.call('GET', key) or 0), t) + gap
    if empty - t > burst then return tostring(empty - t - burst) end
    after[i] = empty
end
for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.3f', after[i]), 'PX', math.ceil(after[i] - t) + 1)
end
return '0'
"""
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()  # EVALSHA's name for it


@dataclass(slots=True)
class _Lot:
    """Calls taken ahead: how many are left, how many were taken, and until when they are good."""

    left: int
    size: int
    until: float


class _Mine(threading.local):
    """Each thread's own connection. Every call comes here, and redis.Redis, with its pool, locks
    and retries around a connection, takes three times as long."""

    def __init__(self, kind: type[Connection], options: dict[str, Any]) -> None:
        self.connection = kind(**options)


class Limiter:
    """Takes one call from each of several buckets, or raises RateLimited and takes none."""

    def __init__(self, url: str) -> None:
        options = parse_url(url)  # type: ignore[no-untyped-call]  # redis-py
        kind = options.pop("connection_class", Connection)
        options |= {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}
        self._mine = _Mine(kind, options)
        self._lots: dict[tuple[Bucket, ...], _Lot] = {}
        self._local = Buckets()
        self._lock = threading.Lock()
        self._retry_redis = 0.0

    def take(self, wanted: Sequence[Bucket]) -> None:
        """Raises RateLimited with the seconds to wait when any bucket is full."""
        buckets = tuple(wanted)
        size = self._take_from_lot(buckets)
        if not size:
            return
        wait = self._wait(buckets, size)
        if wait > 0 and size > 1:
            size, wait = 1, self._wait(buckets, 1)
        if wait > 0:
            raise RateLimited(
                f"The limit of calls is reached; the next is possible in {wait / 1000:.1f} s.",
                retry_after=wait / 1000,
            )
        self._put_by(buckets, size)

    def _take_from_lot(self, buckets: tuple[Bucket, ...]) -> int:
        """Take a call from the lot; returns 0, or how many to ask for where none is left."""
        with self._lock:
            lot = self._lots.get(buckets)
            now = time.monotonic()
            if lot is None or now >= lot.until + LOT_SECONDS:
                return 1
            if now < lot.until and lot.left:
                lot.left -= 1
                return 0
            wanted = 2 * lot.size if now < lot.until else lot.size - lot.left
            most = min(bucket.burst / bucket.gap for bucket in buckets) * LOT_SHARE
            return max(1, min(wanted, int(most)))

    def _put_by(self, buckets: tuple[Bucket, ...], size: int) -> None:
        """Keep what was taken beside the call at hand; another thread may just have, too."""
        now = time.monotonic()
        with self._lock:
            if len(self._lots) > 10_000:
                self._lots.clear()
            lot = self._lots.get(buckets)
            left = lot.left if lot and now < lot.until else 0
            self._lots[buckets] = _Lot(left + size - 1, size, now + LOT_SECONDS)

    def _wait(self, buckets: Sequence[Bucket], calls: int) -> float:
        """Milliseconds to wait before so many calls fit; 0: they were taken."""
        if time.monotonic() < self._retry_redis:
            return self._local.wait(buckets, calls)
        keys = [f"limit:{bucket.name}" for bucket in buckets]
        numbers = [number for b in buckets for number in (b.gap * calls, b.burst)]
        try:
            return self._ask(len(keys), *keys, *numbers)
        except redis.RedisError as error:
            log.warning("limits_fall_back", error=str(error))
            self._retry_redis = time.monotonic() + 1.0
            return self._local.wait(buckets, calls)

    def _ask(self, *arguments: str | float) -> float:
        try:
            return self._run("EVALSHA", _SHA, *arguments)
        except (NoScriptError, redis.ConnectionError):  # Valkey was started anew since
            return self._run("EVAL", _SCRIPT, *arguments)

    def _run(self, *command: str | float) -> float:
        connection = self._mine.connection
        connection.send_command(*command)  # type: ignore[no-untyped-call]  # redis-py
        return float(connection.read_response())
