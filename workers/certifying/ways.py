"""The ways from a caller's hand to the model and back, each by its own code, without a network."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

from berth.bundle import Bundle
from berth.signature import Signature
from models_hub.conversion.answers import Answers
from models_hub.native import NativePredictor
from predictions.answering import outputs
from predictions.engine import Answering
from workers.reading import ERROR, open_reader
from workers.scoring import answers

#: Rows as a caller writes them in JSON: a missing value is None.
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sealed version on trial: its Bundle as it was stored, and what runs it here."""

    bundle: Bundle
    predictor: Answering

    @property
    def signature(self) -> Signature:
        return self.bundle.signature


@dataclass(frozen=True, slots=True)
class Way:
    """``answer`` gives what a caller gets for the rows; it raises where the way does not answer.

    ``is_live``: rows are answered one at a time, at once. ``runs_natively``: it takes versions
    that have no graph.
    """

    answer: Callable[[Candidate, Rows], Answers]
    is_live: bool = True
    runs_natively: bool = False


def _embedded(candidate: Candidate, rows: Rows) -> Answers:
    """As the portal's API: JSON in, JSON out."""
    asked = orjson.loads(orjson.dumps({"instances": rows}))
    coerced = candidate.signature.coerce(asked["instances"])
    found = candidate.predictor.predict(coerced.columns)
    said = orjson.loads(orjson.dumps(outputs(candidate.signature, found)))
    return _answers(said["predictions"], said.get("probabilities"), candidate.signature)


def _offline(candidate: Candidate, rows: Rows) -> Answers:
    """As a job: a CSV file, read and scored in chunks."""
    predictor = candidate.predictor
    if isinstance(predictor, NativePredictor):
        predictor = predictor.patient()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        _write(path, rows)
        values, probabilities = _scored(path, predictor)
    return _answers(values, probabilities or None, candidate.signature)


def _write(path: Path, rows: Rows) -> None:
    """A file as a customer sends it, with a column of their own: a row of nothing but missing
    values would be a blank line without it."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["", *rows[0]])
        writer.writerows([number, *row.values()] for number, row in enumerate(rows))


def _scored(path: Path, predictor: Answering) -> tuple[list[Any], list[list[float]]]:
    """The rows' predictions, and probabilities if there are any. Raises ValueError when a row has
    no prediction."""
    names = [field.name for field in predictor.signature.inputs]
    reader = open_reader(path, "csv", names)
    values: list[Any] = []
    probabilities: list[list[float]] = []
    for batch in reader.batches(0, 0):
        for error in batch.frame[ERROR].drop_nulls():
            raise ValueError(error)
        cells = {name: batch.frame[str(reader.columns.index(name))] for name in names}
        coerced, bad = predictor.signature.coerce_lenient(cells, len(values))
        if bad:
            raise ValueError(next(iter(bad.values()))[0].detail)
        for _, found in answers(predictor, coerced.columns, np.arange(coerced.rows)):
            if isinstance(found, str):
                raise ValueError(found)
            values += found.values.tolist()
            probabilities += [] if found.probabilities is None else found.probabilities.tolist()
    return values, probabilities


def _answers(values: Sequence[Any], probabilities: Any, signature: Signature) -> Answers:
    """What came back, as parity compares it. ``values`` [n], ``probabilities`` [n, k] or None."""
    if signature.output.labels is None:
        return Answers(np.array(values, dtype=float))
    labels = np.empty(len(values), dtype=object)
    labels[:] = values
    return Answers(labels, None if probabilities is None else np.array(probabilities, dtype=float))


WAYS: dict[str, Way] = {
    "embedded": Way(_embedded, runs_natively=True),
    "offline": Way(_offline, is_live=False, runs_natively=True),
}
