"""A chunk's rows to predictions. No transaction is open here, and nothing is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from berth.predictions import PredictionError, Predictions
from predictions.engine import Answering
from workers.labels import LONGEST_KEY, label_text, storable
from workers.models import Chunk
from workers.reading import ERROR
from workers.splitting import rows_of

LONGEST_ERROR = 1_000
Columns = dict[str, NDArray[Any]]


@dataclass(slots=True)
class Outcome:
    """What became of a chunk's rows: equally long lists, in the order of the file."""

    rows: list[int]
    keys: list[str | None]
    values: list[float | None] = field(init=False)
    labels: list[str | None] = field(init=False)
    probabilities: list[float | None] = field(init=False)
    errors: list[str | None] = field(init=False)

    def __post_init__(self) -> None:
        for name in ("values", "labels", "probabilities", "errors"):
            setattr(self, name, [None] * len(self.rows))

    @property
    def bad(self) -> int:
        return len(self.rows) - self.errors.count(None)


def score(chunk: Chunk, predictor: Answering) -> Outcome:
    """The chunk's rows, each with its prediction or its error.

    Raises Unavailable when the rows can't be had from the storage.
    """
    frame = rows_of(chunk)
    outcome = Outcome(list(range(chunk.row_from, chunk.row_to)), keys_of(chunk, frame))
    _note(outcome, frame[ERROR].to_list())
    readable = np.flatnonzero(frame[ERROR].is_null().to_numpy())
    fields = predictor.signature.inputs
    places = {name: i for i, name in enumerate(chunk.job.columns)}
    wanted = {f.name: frame[str(places[f.name])] for f in fields if _is_in(f.name, places, frame)}
    texts = {name: series.gather(readable) for name, series in wanted.items()}
    coerced, bad = predictor.signature.coerce_lenient(texts, chunk.row_from)
    for index, problems in bad.items():
        detail = " ".join(problem.detail for problem in problems)
        outcome.errors[readable[index]] = detail[:LONGEST_ERROR]
    good = readable[coerced.indices] if coerced.indices is not None else readable
    if len(good):
        _predict(outcome, predictor, coerced.columns, good)
    return outcome


def _is_in(name: str, places: dict[str, int], frame: pl.DataFrame) -> bool:
    """JSON lines may have met a column only in a later chunk."""
    return name in places and str(places[name]) in frame.columns


def keys_of(chunk: Chunk, frame: pl.DataFrame) -> list[str | None]:
    """The caller's own ids, as text; None where there are none."""
    columns, name = chunk.job.columns, chunk.job.key_column
    place = str(columns.index(name)) if name in columns else ""
    if place not in frame.columns:
        return [None] * frame.height
    keys = frame[place].cast(pl.String).to_list()
    return [None if key is None else storable(key)[:LONGEST_KEY] for key in keys]


def _note(outcome: Outcome, errors: Sequence[str | None]) -> None:
    for i, error in enumerate(errors):
        if error is not None:
            outcome.errors[i] = error


def _predict(outcome: Outcome, predictor: Answering, columns: Columns, rows: Any) -> None:
    for part, answer in answers(predictor, columns, np.arange(len(rows))):
        places = rows[part].tolist()
        if isinstance(answer, str):
            for place in places:
                outcome.errors[place] = answer
        elif answer.labels is None:
            for place, value in zip(places, answer.values.tolist(), strict=True):
                outcome.values[place] = value
        else:
            _note_labels(outcome, places, answer)


def _note_labels(outcome: Outcome, places: list[int], answer: Predictions) -> None:
    position = {label: i for i, label in enumerate(answer.labels or ())}
    for i, (place, label) in enumerate(zip(places, answer.values.tolist(), strict=True)):
        outcome.labels[place] = storable(label_text(label))
        if answer.probabilities is not None:
            outcome.probabilities[place] = float(answer.probabilities[i, position[label]])


def answers(
    predictor: Answering, columns: Columns, part: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], Predictions | str]]:
    """Predictions for the rows ``part`` of ``columns``; where the model fails, an error.

    Rows that the model names as its failure's are set apart; where it names none, the rows are
    halved until the ones that it can't take stand alone.
    """
    try:
        yield part, predictor.predict({name: cells[part] for name, cells in columns.items()})
    except PredictionError as error:
        if error.rows:
            bad = np.zeros(len(part), dtype=bool)
            bad[list(error.rows)] = True
            yield part[bad], "The model's answer for this row is no finite number."
            rest = [part[~bad]]
        elif len(part) == 1:
            yield part, str(error)[:LONGEST_ERROR]
            return
        else:
            rest = list(np.array_split(part, 2))
        for some in rest:
            if len(some):
                yield from answers(predictor, columns, some)
