"""A chunk's rows to predictions. No transaction is open here, and nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from berth.predictions import PredictionError, Predictions
from berth.signature import Signature
from predictions.engine import Answering
from workers.inputs import Inputs
from workers.labels import LONGEST_KEY, label_text, storable
from workers.models import Chunk, Job
from workers.objects import rows_of

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
    judged = inputs_of(chunk.job, predictor.signature).judge(frame, chunk.row_from)
    for place, problems in judged.faults.items():
        detail = " ".join(problem.detail for problem in problems)
        outcome.errors[place] = detail[:LONGEST_ERROR]
    if len(judged.good):
        _predict(outcome, predictor, judged.columns, judged.good)
    return outcome


def inputs_of(job: Job, signature: Signature) -> Inputs:
    """How the columns of a job's file become a signature's inputs."""
    return Inputs(signature, job.columns, job.mapping, job.reading.get("decimal") or ".")


def keys_of(chunk: Chunk, frame: pl.DataFrame) -> list[str | None]:
    """The caller's own ids, as text; None where there are none."""
    columns, name = chunk.job.columns, chunk.job.key_column
    place = str(columns.index(name)) if name in columns else ""
    if place not in frame.columns:
        return [None] * frame.height
    keys = frame[place].cast(pl.String).to_list()
    return [None if key is None else storable(key)[:LONGEST_KEY] for key in keys]


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
