"""Rate limits inside one process: how many calls a key and an organisation may make.

The generic cell rate algorithm (GCRA, ITU-T I.371): one number a bucket, the time at which it is
empty again.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

_MOST_KEPT = 10_000


@dataclass(frozen=True)
class Bucket:
    """``calls_per_minute`` on the long run; up to ``burst_seconds`` of them at once."""

    name: str
    calls_per_minute: int
    burst_seconds: float = 10.0

    @cached_property
    def gap(self) -> float:
        """Milliseconds between calls."""
        return 60_000.0 / max(1, self.calls_per_minute)

    @cached_property
    def burst(self) -> float:
        """Milliseconds by which the bucket may be ahead; at least one call."""
        return max(self.burst_seconds * 1000.0, self.gap)


class Buckets:
    """This process's buckets. Thread-safe."""

    def __init__(self) -> None:
        self._empty_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, buckets: Sequence[Bucket], calls: int = 1) -> float:
        """Take so many calls from each of the buckets; returns 0.

        Where one is too full, none is taken, and the milliseconds to wait are returned.
        """
        now = time.monotonic() * 1000
        with self._lock:
            known = self._empty_at
            after = {}
            for bucket in buckets:
                at = known.get(bucket.name, now)
                at = (at if at > now else now) + bucket.gap * calls
                if at - now > bucket.burst:
                    return at - now - bucket.burst
                after[bucket.name] = at
            if len(known) > _MOST_KEPT:  # an empty bucket is as good as none
                self._empty_at = known = {name: at for name, at in known.items() if at > now}
            known.update(after)
        return 0.0
