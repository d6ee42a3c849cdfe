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
from berth.feed.subscriber import predict
from berth.predictor import Predictor
from berth.server import batching, datatypes, tensors
from berth.server import outputs as server_outputs
from berth.signature import Signature
from models_hub.conversion.answers import Answers
from models_hub.native import NativePredictor
from predictions.answering import outputs
from predictions.engine import Answering
from workers.reading import ERROR, Options, open_reader
from workers.scoring import answers

#: Rows as a caller writes them in JSON: a missing value is None.
Rows = Sequence[Mapping[str, Any]]


#: How we write a file ourselves.
AS_WRITTEN = Options(delimiter=",", encoding="utf-8", decimal=".")


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
    values: list[Any] = []
    probabilities: list[list[float]] = []
    with open_reader(path, "csv", names, AS_WRITTEN) as reader:
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
                chances = found.probabilities
                probabilities += [] if chances is None else chances.tolist()
    return values, probabilities


def _dedicated(candidate: Candidate, rows: Rows) -> Answers:
    """As a model server: the Open Inference Protocol's JSON, a tensor for each column."""
    predictor, output = _with_graph(candidate), candidate.signature.output
    inputs = [
        {
            "name": field.name,
            "datatype": datatypes.of_field(field),
            "shape": [len(rows)],
            "data": [row[field.name] for row in rows],
        }
        for field in candidate.signature.inputs
    ]
    asked = tensors.read(orjson.dumps({"inputs": inputs}), None)
    predicted = batching.predict(predictor, asked.columns)
    written = server_outputs.write(
        {}, server_outputs.tensors(output, predicted.predictions), {}, asked
    )
    said = {tensor["name"]: tensor for tensor in orjson.loads(written.body)["outputs"]}
    labels = output.labels or ()
    values = said[output.name]["data"]
    if said[output.name]["datatype"] == datatypes.TEXT:  # others than texts travel as their JSON
        named = {
            label if isinstance(label, str) else orjson.dumps(label).decode(): label
            for label in labels
        }
        values = [named[value] for value in values]
    chances = said.get(server_outputs.PROBABILITIES) if labels else None
    shaped = None if chances is None else np.reshape(chances["data"], chances["shape"])
    return _answers(values, shaped, candidate.signature)


def _published(candidate: Candidate, rows: Rows) -> Answers:
    """As a customer's application: rows in its own memory, asked of the model that it holds."""
    found = predict(_with_graph(candidate), rows)
    return _answers(found["predictions"], found.get("probabilities"), candidate.signature)


def _with_graph(candidate: Candidate) -> Predictor:
    if isinstance(candidate.predictor, NativePredictor):
        raise ValueError("It has no graph.")
    return candidate.predictor


def _answers(values: Sequence[Any], probabilities: Any, signature: Signature) -> Answers:
    """What came back, as parity compares it. ``values`` [n], ``probabilities`` [n, k] or None."""
    if signature.output.labels is None:
        return Answers(np.array(values, dtype=float))
    labels = np.empty(len(values), dtype=object)
    labels[:] = values
    return Answers(labels, None if probabilities is None else np.array(probabilities, dtype=float))


WAYS: dict[str, Way] = {
    "embedded": Way(_embedded, runs_natively=True),
    "dedicated": Way(_dedicated),
    "published": Way(_published),
    "offline": Way(_offline, is_live=False, runs_natively=True),
}
