"""Loaded models, bounded in bytes, the least recently used out first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Weighed(Protocol):
    """What a cache holds: something that knows its size in memory."""

    @property
    def nbytes(self) -> int: ...


K = TypeVar("K", bound=Hashable)
P = TypeVar("P", bound=Weighed)


class _Turn:
    """A key's lock, and how many threads hold it or wait for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted = 0


class Loaded(Generic[K, P]):
    """At most ``most_bytes`` of loaded models together (one may exceed it alone). Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.nbytes = 0
        self.evicted = 0
        self._loaded: OrderedDict[K, P] = OrderedDict()
        self._turns: dict[K, _Turn] = {}
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
        with self._turn(key):
            found = self.peek(key)
            if found is None:
                found = load()
                self.put(key, found)
            return found

    @contextmanager
    def _turn(self, key: K) -> Iterator[None]:
        """One thread at a time for a key; its lock goes with the last that needs it."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.wanted += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.wanted -= 1
                if not turn.wanted:
                    del self._turns[key]

    def put(self, key: K, loaded: P) -> None:
        """Keep what was loaded elsewhere; makes room for it."""
        with self._lock:
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
