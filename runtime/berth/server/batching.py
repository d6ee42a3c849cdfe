"""Coerced and predicted: the one way to a Predictor, for a call alone and for calls together.

onnxruntime costs a call about as much as ten rows do. Under load several requests stand in the
event loop's queue at once; what they ask of one model goes through it in one run. Alone a call
waits for nothing: the run is due as soon as the loop has looked through its queue.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

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
    rows = max(map(len, columns.values()), default=0)
    return predictor.row_seconds.value * rows <= _QUICK


_Waiting = list[tuple[Columns, "asyncio.Future[Predicted]"]]


class Batches:
    """For one event loop, called in it."""

    def __init__(self) -> None:
        self._waiting: dict[Predictor, _Waiting] = {}

    async def predict(self, predictor: Predictor, columns: Columns) -> Predicted:
        """As `predict`, for a few rows."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.get(predictor)
        if waiting is None:
            waiting = self._waiting[predictor] = []
            loop.call_soon(self._run, predictor)
        due: asyncio.Future[Predicted] = loop.create_future()
        waiting.append((columns, due))
        return await due

    def _run(self, predictor: Predictor) -> None:
        """One run of those that wait; others have their turn before the next."""
        waiting = self._waiting[predictor]
        calls, rest = waiting[:_MOST_CALLS], waiting[_MOST_CALLS:]
        if rest:
            self._waiting[predictor] = rest
            asyncio.get_running_loop().call_soon(self._run, predictor)
        else:
            del self._waiting[predictor]
        if len(calls) == 1 or not _together(predictor, calls):
            for call in calls:
                _alone(predictor, call)


def _together(predictor: Predictor, calls: _Waiting) -> bool:
    """Whether one run answered them all. Where there is anything to say about a single call, a
    fault or a warning, none is answered: each goes by itself."""
    names = calls[0][0].keys()
    if any(columns.keys() != names or not _is_even(columns) for columns, _ in calls):
        return False
    joined = {name: list(chain.from_iterable(c[name] for c, _ in calls)) for name in names}
    try:
        predicted = predict(predictor, joined)
    except Exception:  # noqa: BLE001  # alone, each hears what is wrong with its own call
        return False
    if predicted.warnings:
        return False
    start = 0
    for columns, due in calls:
        rows = len(next(iter(columns.values())))
        if not due.done():  # its client may have gone
            part = _part(predicted.predictions, start, start + rows)
            due.set_result(Predicted(part, [], rows))
        start += rows
    return True


def _is_even(columns: Columns) -> bool:
    """Whether all columns are equally long, and not empty: else joined they would shift."""
    lengths = set(map(len, columns.values()))
    return len(lengths) == 1 and 0 not in lengths


def _alone(predictor: Predictor, call: tuple[Columns, "asyncio.Future[Predicted]"]) -> None:
    columns, due = call
    if due.done():
        return
    try:
        due.set_result(predict(predictor, columns))
    except Exception as error:  # noqa: BLE001  # it belongs to whoever waits, whatever it is
        due.set_exception(error)


def _part(whole: Predictions, start: int, stop: int) -> Predictions:
    probabilities = whole.probabilities
    if probabilities is not None:
        probabilities = probabilities[start:stop]
    return Predictions(whole.values[start:stop], probabilities, whole.labels)
