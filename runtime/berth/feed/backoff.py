"""How long to wait before the next attempt."""

import random


class Backoff:
    """Doubling waits with jitter, so that many who lost one portal don't return as one."""

    def __init__(self, first: float = 0.5, most: float = 30.0) -> None:
        """`first` and `most` are seconds."""
        self.first = first
        self.most = most
        self._next = first

    def next(self) -> float:
        """Seconds to wait now: between half of the current wait and all of it."""
        wait = self._next
        self._next = min(self.most, 2 * wait)
        return wait * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load, keeps no secret)

    def reset(self) -> None:
        """It worked: start from the first wait again."""
        self._next = self.first
