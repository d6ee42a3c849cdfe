"""The native models' processes of one portal process: few, for one organisation each, never many
calls at once, and ended when nobody asks any more."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from berth.predictions import PredictionError, Predictions
from models_hub.formats import Refused
from models_hub.sandbox.native import START_SECONDS, Failed, Resident
from models_hub.sandbox.packing import Columns
from models_hub.sandbox.process import NoSandbox

#: Makes a Resident in the thread that lives on.
Launch = Callable[[Callable[[], Resident]], Resident]
#: Starts a process with the Launch that it is given, and settles it.
Start = Callable[[Launch], Resident]
Key = tuple[Hashable, Hashable]
LONGEST_BACK_OFF = 60.0
FORGIVEN_SECONDS = 60.0  # who lived so long did not die of its start


class Busy(Exception):
    """Too much is asked of native models here; `retry_after` in seconds."""

    def __init__(self, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Resting(Busy):
    """The process failed several times, and is not started again yet."""


@dataclass(frozen=True, slots=True)
class Haste:
    """How long a caller has: `seconds` for an answer; `waits` for others and for a process that
    died often to be started again, rather than hear `Busy`."""

    seconds: float
    waits: bool = False


LIVE, BATCH = Haste(10.0), Haste(60.0, waits=True)


@dataclass(slots=True)
class _Seat:
    """What is known of one key: its process, and how often that failed of late. `taken` is set
    from the moment that it has a place, which is before the process is there."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    resident: Resident | None = None
    taken: bool = False
    used: float = 0.0
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0


class Pool:
    """Processes by key. Thread-safe.

    A key's first part is the organisation, so that no process ever answers two. `most` processes
    live at a time, an organisation has half of them at most (and one at least); whoever needs a
    place takes that of the one asked longest ago, if that is `shortest_stay` ago. After
    `idle_seconds` without a question a process ends. `at_once` calls are served at a time: a
    further one waits while the calls inside are young, since a slow model must not take all of
    the portal's threads; nor all of the time: see `_Gate`.
    """

    def __init__(
        self,
        most: int,
        *,
        at_once: int = 1,
        idle_seconds: float = 300.0,
        shortest_stay: float = 20.0,
        patience: float = 1.0,
    ) -> None:
        self.most, self.idle_seconds, self.shortest_stay = most, idle_seconds, shortest_stay
        self._seats: dict[Key, _Seat] = {}
        self._lock = threading.Lock()
        self._gate = _Gate(at_once, patience)
        self._launcher = ThreadPoolExecutor(1, "native-launcher")
        self._sweeper: threading.Thread | None = None

    def predict(
        self,
        key: Key,
        start: Start,
        columns: Columns,
        haste: Haste = LIVE,
    ) -> Predictions:
        """The answer of the key's process, which is started if it must be.

        Raises `PredictionError`, `Failed`, `Busy`, and what `start` raises.
        """
        with self._gate.entered(key[0], haste.waits), self._taken(key, haste) as seat:
            resident = seat.resident
            if resident is None or not resident.alive:
                with self._gate.slow():
                    resident = self._started(key, seat, start, haste)
            try:
                return resident.predict(columns, haste.seconds)
            except PredictionError:
                raise
            except BaseException:
                self._failed(seat)
                raise
            finally:
                seat.used = time.monotonic()

    @contextmanager
    def _taken(self, key: Key, haste: Haste) -> Iterator[_Seat]:
        while True:
            with self._lock:
                seat = self._seats.setdefault(key, _Seat())
            if not seat.lock.acquire(timeout=-1 if haste.waits else START_SECONDS):
                raise Busy("The model is being asked by others.")
            try:
                if self._seats.get(key) is seat:  # else it was put away meanwhile
                    yield seat
                    return
            finally:
                seat.lock.release()

    def _started(self, key: Key, seat: _Seat, start: Start, haste: Haste) -> Resident:
        if seat.resident is not None:  # it died while nobody asked
            self._failed(seat)
        wait = seat.not_before - time.monotonic()
        if wait > 0:
            if not haste.waits:
                raise Resting("The model's process failed and is not started again yet.", wait)
            time.sleep(min(wait, 1.0))
        self._make_room(key, seat)
        try:
            seat.resident = start(lambda make: self._launcher.submit(make).result())
        except (Refused, NoSandbox):
            self._failed(seat)
            raise
        finally:
            seat.taken = seat.resident is not None
        seat.started = seat.used = time.monotonic()
        self._watch()
        return seat.resident

    def _failed(self, seat: _Seat) -> None:
        """The first failure costs nothing, each further one in short order doubles the wait."""
        now = time.monotonic()
        if now - seat.started > FORGIVEN_SECONDS and seat.resident is not None:
            seat.failures = 0
        seat.failures += 1
        wait = min(2.0 ** (seat.failures - 2), LONGEST_BACK_OFF) if seat.failures > 1 else 0.0
        seat.not_before = now + wait
        _vacate(seat)

    def _make_room(self, key: Key, seat: _Seat) -> None:
        """Take a place for the seat: that of the process that was asked longest ago, where there
        are too many. Raises `Busy`."""
        with self._lock:
            others = {k: s for k, s in self._seats.items() if s.taken and k != key}
            same = {k: s for k, s in others.items() if k[0] == key[0]}
            full = len(same) >= max(1, self.most // 2)
            gone = None
            if full or len(others) >= self.most:
                gone = self._least_asked(list((same if full else others).values()))
            seat.taken = True
        if gone is not None:
            _leave(gone)

    def _least_asked(self, seats: list[_Seat]) -> _Seat:
        """The seat asked longest ago whose process may go, locked. Raises `Busy`."""
        for seat in sorted(seats, key=lambda seat: seat.used):
            if time.monotonic() - seat.used < self.shortest_stay:
                break
            if seat.lock.acquire(blocking=False):
                seat.taken = False
                return seat
        raise Busy("All places for native models are taken just now.", self.shortest_stay)

    def _watch(self) -> None:
        with self._lock:
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep, daemon=True)
                self._sweeper.start()

    def _sweep(self) -> None:
        while True:
            time.sleep(min(self.idle_seconds / 4, 15.0))
            self.end_idle()

    def end_idle(self) -> None:
        """End what nobody has asked for `idle_seconds`; forget what has not been there for long."""
        gone = []
        with self._lock:
            for key, seat in list(self._seats.items()):
                idle = time.monotonic() - max(seat.used, seat.not_before)
                if idle > self.idle_seconds and seat.lock.acquire(blocking=False):
                    gone.append(self._seats.pop(key))
        for seat in gone:
            _leave(seat)

    def dismiss(self, key: Key) -> None:
        """End the key's process, which nobody here is going to ask again."""
        with self._lock:
            seat = self._seats.get(key)
        if seat is not None:
            with seat.lock:
                _vacate(seat)

    def residents(self) -> dict[Key, Resident]:
        """The processes that there are."""
        with self._lock:
            seats = list(self._seats.items())
        return {key: seat.resident for key, seat in seats if seat.resident is not None}

    def end(self) -> None:
        """End all of them and forget their failures."""
        with self._lock:
            seats = [self._seats.pop(key) for key in list(self._seats)]
        for seat in seats:
            with seat.lock:
                _vacate(seat)


def _vacate(seat: _Seat) -> None:
    if seat.resident is not None:
        with suppress(OSError):
            seat.resident.end()
        seat.resident = None
    seat.taken = False


def _leave(seat: _Seat) -> None:
    """Vacate a seat that was locked for it. Not under the pool's lock: a process takes its time to
    end, and meanwhile others want to be answered."""
    try:
        _vacate(seat)
    finally:
        seat.lock.release()


_BUSY = "The models that run natively are busy here."


class _Gate:
    """Lets `most` in at once. Who waits, waits while one of those inside is expected out soon:
    each is for `patience` seconds, and longer while it is `slow`.

    Who was inside for longer than that while others were turned away leaves the gate to them for
    as long afterwards: so one organisation's slow model takes half of the time at most, and the
    rest of it is there for whoever comes again as told.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._most, self._patience = most, patience
        self._expected: dict[int, float] = {}
        self._turned_away: dict[Hashable, float] = {}
        self._closed: dict[Hashable, float] = {}
        self._changed = threading.Condition()

    @contextmanager
    def entered(self, organisation: Hashable, waits: bool) -> Iterator[None]:
        me = threading.get_ident()
        with self._changed:
            self._come_in(organisation, waits)
            since = time.monotonic()
            self._expected[me] = since + self._patience
        try:
            yield
        finally:
            with self._changed:
                del self._expected[me]
                self._note(organisation, since)
                self._changed.notify_all()

    def _come_in(self, organisation: Hashable, waits: bool) -> None:
        """Wait until there is room. Raises `Busy`."""
        while True:
            now = time.monotonic()
            if (left := self._closed.get(organisation, 0.0) - now) > 0:
                text = "Your models were slow, and it is the turn of others."
            elif len(self._expected) >= self._most:
                text, left = _BUSY, max(self._expected.values()) - now
            else:
                break
            if not waits and (text != _BUSY or left <= 0):
                self._turned_away[organisation] = now
                raise Busy(text, max(left, 1.0))
            self._changed.wait(max(left, 0.05) if left > 0 else None)
        self._turned_away.pop(organisation, None)

    def _note(self, organisation: Hashable, since: float) -> None:
        took = time.monotonic() - since
        others = any(at >= since for who, at in self._turned_away.items() if who != organisation)
        if took > self._patience and others:
            self._closed[organisation] = time.monotonic() + took

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Meanwhile a process is started: the others expect that to take longer."""
        me = threading.get_ident()
        self._expect(me, START_SECONDS / 5)
        try:
            yield
        finally:
            self._expect(me, self._patience)

    def _expect(self, me: int, seconds: float) -> None:
        with self._changed:
            self._expected[me] = time.monotonic() + seconds
            self._changed.notify_all()


__all__ = ["BATCH", "LIVE", "Busy", "Failed", "Haste", "Launch", "Pool", "Resting", "Start"]
