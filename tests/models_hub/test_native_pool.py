"""A portal process keeps few native models' processes, each for one organisation."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from berth.predictions import PredictionError, Predictions
from models_hub.formats import Refused
from models_hub.sandbox import pool as pools
from models_hub.sandbox.native import Failed, Resident
from models_hub.sandbox.pool import Busy, Haste, Launch, Pool, Resting

ROWS = {"x": np.zeros((1, 1))}
HASTE, PATIENT = Haste(1.0), Haste(1.0, waits=True)


class Fake(Resident):
    """A process that is none: answers its own number, or does what it is told to."""

    count = 0

    def __init__(self, does: Callable[[], float] | None = None) -> None:
        Fake.count += 1
        self.number, self.does, self.ended = Fake.count, does, 0
        self.thread = threading.current_thread()

    @property
    def alive(self) -> bool:
        return not self.ended

    def predict(self, columns: Any, seconds: float) -> Predictions:
        return Predictions(np.array([self.does() if self.does else float(self.number)]))

    def end(self) -> None:
        self.ended += 1


def starting(does: Callable[[], float] | None = None) -> pools.Start:
    def start(launch: Launch) -> Resident:
        return launch(lambda: Fake(does))

    return start


def die() -> float:
    raise Failed("It died.")


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(4, shortest_stay=0.0, patience=0.2)
    yield made
    made.end()


def ask(pool: Pool, key: tuple[str, str], does: Any = None, haste: Haste = HASTE) -> float:
    return float(pool.predict(key, starting(does), ROWS, haste).values[0])


def test_a_key_is_answered_by_the_same_process_and_another_key_by_another(pool: Pool) -> None:
    first = ask(pool, ("acme", "a"))
    assert ask(pool, ("acme", "a")) == first
    assert ask(pool, ("other", "a")) != first
    assert set(pool.residents()) == {("acme", "a"), ("other", "a")}


def test_processes_are_started_by_a_thread_that_lives_on(pool: Pool) -> None:
    thread = threading.Thread(target=ask, args=(pool, ("acme", "a")))
    thread.start()
    thread.join()
    (resident,) = pool.residents().values()
    assert isinstance(resident, Fake)
    assert resident.thread is not thread
    assert resident.thread.is_alive()


def test_whoever_was_asked_longest_ago_makes_room(pool: Pool) -> None:
    for organisation in "abcd":
        ask(pool, (organisation, "m"))
    ask(pool, ("a", "m"))
    gone = pool.residents()[("b", "m")]
    ask(pool, ("e", "m"))
    assert set(pool.residents()) == {(o, "m") for o in "acde"}
    assert not gone.alive


def test_an_organisation_has_half_of_the_places_and_takes_none_of_others(pool: Pool) -> None:
    ask(pool, ("other", "m"))
    for version in "123":
        ask(pool, ("acme", version))
    assert set(pool.residents()) == {("other", "m"), ("acme", "2"), ("acme", "3")}


def test_a_process_that_was_asked_just_now_keeps_its_place() -> None:
    pool = Pool(1, shortest_stay=60)
    ask(pool, ("acme", "m"))
    with pytest.raises(Busy, match="places"):
        ask(pool, ("other", "m"))
    assert ask(pool, ("acme", "m"))


def test_who_is_dismissed_leaves_its_place() -> None:
    pool = Pool(1, shortest_stay=60)
    ask(pool, ("acme", "m"))
    (resident,) = pool.residents().values()
    pool.dismiss(("acme", "m"))
    pool.dismiss(("acme", "unknown"))
    assert not resident.alive
    assert ask(pool, ("other", "m"))


def test_who_is_not_asked_any_more_is_ended(pool: Pool) -> None:
    pool.idle_seconds = 0.1
    ask(pool, ("acme", "m"))
    (resident,) = pool.residents().values()
    assert isinstance(resident, Fake)
    pool.end_idle()
    assert resident.ended == 0
    time.sleep(0.15)
    pool.end_idle()
    assert resident.ended == 1
    assert pool.residents() == {}


def test_the_idle_end_by_themselves() -> None:
    pool = Pool(2, idle_seconds=0.1)
    ask(pool, ("acme", "m"))
    (resident,) = pool.residents().values()
    until = time.monotonic() + 5
    while resident.alive and time.monotonic() < until:
        time.sleep(0.02)
    assert not resident.alive


def test_a_process_that_died_while_nobody_asked_is_replaced_unseen(pool: Pool) -> None:
    first = ask(pool, ("acme", "m"))
    pool.residents()[("acme", "m")].end()
    assert ask(pool, ("acme", "m")) != first


def test_who_fails_once_starts_at_once_and_who_fails_again_waits(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("models_hub.sandbox.pool.time.monotonic", lambda: now[0])
    waits: list[float] = []
    for _ in range(2):
        with pytest.raises(Failed):
            ask(pool, ("acme", "m"), die)
    for _ in range(8):
        started = Fake.count
        with pytest.raises(Resting) as resting:
            ask(pool, ("acme", "m"), die)
        assert Fake.count == started
        waits.append(resting.value.retry_after)
        now[0] += waits[-1]
        with pytest.raises(Failed):
            ask(pool, ("acme", "m"), die)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1.0, pools.LONGEST_BACK_OFF)


def test_who_lived_long_is_forgiven(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("models_hub.sandbox.pool.time.monotonic", lambda: now[0])
    moods: Iterator[Callable[[], float]] = iter([die, die, lambda: 1.0, die, lambda: 2.0])

    def moody() -> float:
        return next(moods)()

    for _ in range(2):
        with pytest.raises(Failed):
            ask(pool, ("acme", "m"), moody)
    now[0] += 5
    assert ask(pool, ("acme", "m"), moody) == 1.0
    now[0] += pools.FORGIVEN_SECONDS + 1
    with pytest.raises(Failed):
        ask(pool, ("acme", "m"), moody)
    assert ask(pool, ("acme", "m"), moody) == 2.0


def test_a_file_that_does_not_open_is_not_opened_at_every_call(pool: Pool) -> None:
    opened: list[int] = []

    def start(launch: Launch) -> Resident:
        opened.append(1)
        raise Refused("model_damaged", "No.")

    for _ in range(2):
        with pytest.raises(Refused):
            pool.predict(("acme", "m"), start, ROWS, HASTE)
    for _ in range(5):
        with pytest.raises(Resting):
            pool.predict(("acme", "m"), start, ROWS, HASTE)
    assert len(opened) == 2


def test_a_model_s_own_error_costs_it_nothing(pool: Pool) -> None:
    def fail() -> float:
        raise PredictionError("No.")

    for _ in range(5):
        with pytest.raises(PredictionError):
            ask(pool, ("acme", "m"), fail)
    assert pool.residents()[("acme", "m")].alive


def test_a_slow_model_does_not_hold_the_other_threads(pool: Pool) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slowly() -> float:
        inside.set()
        go_on.wait(10)
        return 1.0

    thread = threading.Thread(target=ask, args=(pool, ("acme", "slow"), slowly))
    ask(pool, ("other", "m"))
    thread.start()
    assert inside.wait(5)
    time.sleep(0.25)
    started = time.monotonic()
    with pytest.raises(Busy):
        ask(pool, ("other", "m"))
    assert time.monotonic() - started < 0.1
    go_on.set()
    assert ask(pool, ("other", "m"), haste=PATIENT)
    thread.join()


def test_calls_that_come_together_are_answered_one_after_the_other(pool: Pool) -> None:
    at_once, most = [0], [0]
    answered: list[float] = []

    def shortly() -> float:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(0.005)
        at_once[0] -= 1
        return 1.0

    def many() -> None:
        answered.extend(ask(pool, ("acme", "m"), shortly) for _ in range(20))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answered) == 80
    assert most == [1]
    assert len(pool.residents()) == 1


def test_a_slow_organisation_leaves_the_gate_to_those_whom_it_kept_out() -> None:
    pool = Pool(4, shortest_stay=0.0, patience=0.05)
    inside, go_on = threading.Event(), threading.Event()

    def slowly() -> float:
        inside.set()
        go_on.wait(10)
        return 1.0

    ask(pool, ("other", "m"))
    thread = threading.Thread(target=ask, args=(pool, ("acme", "slow"), slowly))
    thread.start()
    assert inside.wait(5)
    time.sleep(0.3)
    with pytest.raises(Busy):
        ask(pool, ("other", "m"))
    go_on.set()
    thread.join()
    with pytest.raises(Busy, match="turn of others") as busy:
        ask(pool, ("acme", "quick"))
    assert busy.value.retry_after == 1.0
    assert ask(pool, ("other", "m"))
    assert ask(pool, ("acme", "quick"), haste=PATIENT)
    pool.end()


def test_a_slow_organisation_that_kept_nobody_out_goes_on(pool: Pool) -> None:
    def slowly() -> float:
        time.sleep(0.3)
        return 1.0

    for _ in range(2):
        assert ask(pool, ("acme", "slow"), slowly)


def test_others_are_answered_while_a_process_takes_its_time_to_end(pool: Pool) -> None:
    ask(pool, ("acme", "m"))
    (resident,) = pool.residents().values()
    ending, go_on = threading.Event(), threading.Event()

    def end() -> None:
        ending.set()
        go_on.wait(10)

    resident.end = end  # type: ignore[method-assign]  # a process that will not die
    pool.idle_seconds = 0.0
    sweeper = threading.Thread(target=pool.end_idle)
    sweeper.start()
    assert ending.wait(5)
    assert ask(pool, ("other", "m"))
    go_on.set()
    sweeper.join()


def test_no_more_processes_start_at_once_than_there_are_places() -> None:
    pool = Pool(1, at_once=2, shortest_stay=60.0)
    starting_up, go_on = threading.Event(), threading.Event()

    def start(launch: Launch) -> Resident:
        starting_up.set()
        go_on.wait(10)
        return launch(Fake)

    thread = threading.Thread(target=pool.predict, args=(("acme", "m"), start, ROWS, HASTE))
    thread.start()
    assert starting_up.wait(5)
    with pytest.raises(Busy, match="places"):
        ask(pool, ("other", "m"))
    go_on.set()
    thread.join()
    pool.end()
