"""Loaded models, bounded in bytes, the least recently used out first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Weighed(Protocol):
    """What a cache holds: something that knows its size in memory."""

    @property
    def nbytes(self) -> int: ...


K = TypeVar("K", bound=Hashable)
P = TypeVar("P", bound=Weighed)


class Loaded(Generic[K, P]):
    """At most ``most_bytes`` of loaded models together (one may exceed it alone). Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.nbytes = 0
        self.evicted = 0
        self._loaded: OrderedDict[K, P] = OrderedDict()
        self._loading: dict[K, threading.Lock] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._loaded)

    def peek(self, key: K) -> P | None:
        """What is loaded under the key, marked as used; None where nothing is."""
        with self._lock:
            found = self._loaded.get(key)
            if found is not None:
                self._loaded.move_to_end(key)
            return found

    def get(self, key: K, load: Callable[[], P]) -> P:
        """What is loaded under the key. One thread loads, others wait for it.

        Raises what ``load`` raises; the next caller then tries again.
        """
        found = self.peek(key)
        if found is not None:
            return found
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            found = self.peek(key)
            if found is None:
                found = load()
                self.put(key, found)
            return found

    def put(self, key: K, loaded: P) -> None:
        """Keep what was loaded elsewhere; makes room for it."""
        with self._lock:
            self._loading.pop(key, None)
            before = self._loaded.pop(key, None)
            self.nbytes += loaded.nbytes - (before.nbytes if before is not None else 0)
            self._loaded[key] = loaded
            while self.nbytes > self.most_bytes and len(self._loaded) > 1:
                _, dropped = self._loaded.popitem(last=False)
                self.nbytes -= dropped.nbytes
                self.evicted += 1

    def drop(self, key: K) -> None:
        """Forget one, if it is there."""
        with self._lock:
            dropped = self._loaded.pop(key, None)
            if dropped is not None:
                self.nbytes -= dropped.nbytes

    def clear(self) -> None:
        with self._lock:
            self._loaded.clear()
            self.nbytes = 0
