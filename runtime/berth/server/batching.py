"""Coerced and predicted: the one way to a Predictor, for a call alone and for calls together.

onnxruntime costs a call about as much as ten rows do. Under load several requests stand in the
event loop's queue at once; what they ask of one model goes through it in one run, and onto the
record in one write. Alone a call
waits for nothing: the run is due as soon as the loop has looked through its queue.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, Protocol, TypeVar

from berth.calls import MOST_ROWS
from berth.predictions import PredictionError, Predictions
from berth.predictor import Predictor
from berth.problems import InvalidInput, Problem
from berth.server.errors import bad, unfit

_MOST_CALLS = 32  # in one run: the loop must not wait for long
_QUICK = 0.002  # seconds
Columns = Mapping[str, list[Any]]


@dataclass(slots=True)
class Predicted:
    """What the model says, and what the signature has to say about what was asked."""

    predictions: Predictions
    warnings: list[Problem]
    rows: int


def predict(predictor: Predictor, columns: Columns) -> Predicted:
    """The predictions for columns as they came. Raises ProtocolError 400."""
    rows = max(map(len, columns.values()))
    if rows > MOST_ROWS:
        raise bad(f"A call takes at most {MOST_ROWS:,} rows, this one has {rows:,}.")
    if rows == 0:
        raise bad("At least one row is needed.")
    try:
        coerced = predictor.signature.coerce_columns(columns)
        started = time.perf_counter()
        predictions = predictor.predict(coerced.columns)
        predictor.row_seconds.add((time.perf_counter() - started) / rows)
        return Predicted(predictions, coerced.warnings, coerced.rows)
    except InvalidInput as error:
        raise unfit(error.errors) from error
    except PredictionError as error:
        raise bad(str(error)) from error


def is_quick(predictor: Predictor, columns: Columns) -> bool:
    """Whether the event loop may wait for it, by what the model's rows took of late."""
    rows = len(next(iter(columns.values()), ()))  # uneven ones are refused before they are asked
    return predictor.row_seconds.value * rows <= _QUICK


class Asking(Protocol):
    """A call that was read: it has columns."""

    @property
    def columns(self) -> Columns: ...


C = TypeVar("C", bound=Asking)
A = TypeVar("A")


class Batches(Generic[C, A]):
    """For one event loop, called in it.

    `finish` makes the answers of calls whose predictions are there, all of them at once: what
    they cost the kernel, such as a record's way to the disk, they cost it once. It may raise.
    """

    def __init__(self, finish: Callable[[Sequence[tuple[C, Predicted]]], Sequence[A]]) -> None:
        self._finish = finish
        self._waiting: dict[Predictor, list[tuple[C, asyncio.Future[A]]]] = {}

    async def answer(self, predictor: Predictor, call: C) -> A:
        """What `finish` makes of a call of a few rows. Raises what `predict` raises, and it."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.get(predictor)
        if waiting is None:
            waiting = self._waiting[predictor] = []
            # after one more look through the queue: what is on its way by now comes along
            loop.call_soon(loop.call_soon, self._run, predictor)
        due: asyncio.Future[A] = loop.create_future()
        waiting.append((call, due))
        return await due

    def _run(self, predictor: Predictor) -> None:
        """One run of those that wait; others have their turn before the next."""
        waiting = self._waiting[predictor]
        some, rest = waiting[:_MOST_CALLS], waiting[_MOST_CALLS:]
        if rest:
            self._waiting[predictor] = rest
            asyncio.get_running_loop().call_soon(self._run, predictor)
        else:
            del self._waiting[predictor]
        here = [(call, due) for call, due in some if not due.done()]  # its client may have gone
        if len(here) < 2 or not self._together(predictor, here):
            for call, due in here:
                self._alone(predictor, call, due)

    def _together(self, predictor: Predictor, some: list[tuple[C, "asyncio.Future[A]"]]) -> bool:
        """Whether one run answered them all; else each goes by itself."""
        calls = [call for call, _ in some]
        try:
            predicted = together(predictor, [call.columns for call in calls])
            if predicted is None:
                return False
            answers = self._finish(list(zip(calls, predicted, strict=True)))
        except Exception:  # noqa: BLE001  # alone, each hears what is wrong with its own call
            return False
        for (_, due), answer in zip(some, answers, strict=True):
            due.set_result(answer)
        return True

    def _alone(self, predictor: Predictor, call: C, due: "asyncio.Future[A]") -> None:
        try:
            (answer,) = self._finish([(call, predict(predictor, call.columns))])
            due.set_result(answer)
        except Exception as error:  # noqa: BLE001  # it belongs to whoever waits, whatever it is
            due.set_exception(error)


def together(predictor: Predictor, calls: Sequence[Columns]) -> list[Predicted] | None:
    """The predictions of several calls in one run. None where there is a warning about one of
    them, and where they differ in what they ask. Raises what `predict` raises."""
    names = calls[0].keys()
    if any(columns.keys() != names or not _is_even(columns) for columns in calls):
        return None
    joined = {name: list(chain.from_iterable(c[name] for c in calls)) for name in names}
    predicted = predict(predictor, joined)
    if predicted.warnings:
        return None
    found, start = [], 0
    for columns in calls:
        rows = len(next(iter(columns.values())))
        part = _part(predicted.predictions, start, start + rows)
        found.append(Predicted(part, [], rows))
        start += rows
    return found


def _is_even(columns: Columns) -> bool:
    """Whether all columns are equally long, and not empty: else joined they would shift."""
    lengths = set(map(len, columns.values()))
    return len(lengths) == 1 and 0 not in lengths


def _part(whole: Predictions, start: int, stop: int) -> Predictions:
    probabilities = whole.probabilities
    if probabilities is not None:
        probabilities = probabilities[start:stop]
    return Predictions(whole.values[start:stop], probabilities, whole.labels)
