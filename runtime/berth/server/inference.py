"""One call: read, coerce, predict, put on record, write the answer. The only way to predictions."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import uuid_utils

from berth.journal import SEPARATOR, Journal
from berth.predictor import Predictor
from berth.problems import Problem
from berth.server import bodies, outputs, tensors
from berth.server.batching import Predicted, predict
from berth.server.errors import ProtocolError, place
from berth.server.keyring import Key
from berth.server.outputs import Written
from berth.server.shelf import Copy, Shelf
from berth.server.tensors import Asked


# Not frozen, like all that is made anew for each call: a frozen one costs three times as much.
@dataclass(slots=True)
class Call:
    """A request to `…/infer` as it came in, its key known and its model found."""

    copy: Copy
    key: Key
    body: bytes
    encoding: str | None = None
    json_length: str | None = None
    accepted: str | None = None


@dataclass(slots=True)
class Question:
    """A call that was read, and the model that it asks."""

    call: Call
    asked: Asked
    predictor: Predictor
    started: float

    @property
    def columns(self) -> dict[str, list[Any]]:
        return self.asked.columns


@dataclass(slots=True)
class Answer:
    """What goes out, and how many rows it predicts."""

    written: Written
    rows: int


class Inference:
    """Answers calls; from many threads at once."""

    def __init__(self, shelf: Shelf, journal: Journal) -> None:
        self.shelf = shelf
        self.journal = journal

    def answer(self, call: Call) -> Answer:
        """The answer, on record before this returns. Takes as long as the model does, and as its
        loading where it is not loaded. Raises ProtocolError."""
        question = self.read(call)
        (answer,) = self.write([(question, predict(question.predictor, question.columns))])
        return answer

    def read(self, call: Call, predictor: Predictor | None = None) -> Question:
        """The call, read; the first part of `answer`. `predictor`: the copy's, if it is at hand."""
        started = time.perf_counter()
        asked = tensors.read(bodies.unpacked(call.body, call.encoding), call.json_length)
        predictor = predictor or self.shelf.predictor(call.copy)
        outputs.check(asked, predictor.signature.output)
        return Question(call, asked, predictor, started)

    def write(self, questions: Sequence[tuple[Question, Predicted]]) -> list[Answer]:
        """The answers with these predictions, on record; the last part of `answer`. Raises
        ProtocolError, and then none of them is on record."""
        answers, records = [], []
        for question, predicted in questions:
            answer, record = _written(question, predicted)
            answers.append(answer)
            records.append(record)
        try:
            self.journal.append(*records)
        except OSError as error:
            detail = "The answer can't be put on record just now, so it is not given."
            raise ProtocolError(503, detail, ("retry-after", "5")) from error
        return answers


def _written(question: Question, predicted: Predicted) -> tuple[Answer, bytes]:
    """The answer, and what goes on record of it."""
    call, asked, predictions = question.call, question.asked, predicted.predictions
    output = question.predictor.signature.output
    id_ = str(uuid_utils.uuid7())
    found = outputs.tensors(output, predictions)
    values = outputs.json_of(predictions.values)
    fragments = {output.name: values} if found[output.name].plain else {}
    head = _head(call, asked, id_, predicted.warnings)
    written = _packed(outputs.write(head, found, fragments, asked), call.accepted)
    record = _record(question, id_, predicted.rows, _response(call, id_, values, predicted))
    return Answer(written, predicted.rows), record


def _record(question: Question, id_: str, rows: int, response: bytes) -> bytes:
    """The same record as the portal's, so that whoever reads them needs to know but one."""
    copy = question.call.copy
    about = (
        id_,
        copy.organisation_id,
        datetime.now(UTC),
        copy.model,
        copy.version,
        question.call.key.id,
        rows,
        (time.perf_counter() - question.started) * 1000,
    )
    request = orjson.dumps({"columns": question.columns})
    return SEPARATOR.join((orjson.dumps(about), request, response))


def _head(call: Call, asked: Asked, id_: str, warnings: list[Problem]) -> dict[str, Any]:
    """The answer without its outputs. `parameters` hold texts alone, as the protocol wants: the
    warnings are JSON inside one."""
    parameters = {"prediction_id": id_}
    if warnings:
        told = [{**warning.to_json(), "pointer": place(warning)} for warning in warnings]
        parameters["warnings"] = orjson.dumps(told).decode()
    return {
        "model_name": call.copy.model,
        "model_version": str(call.copy.version),
        "id": id_ if asked.id is None else asked.id,
        "parameters": parameters,
    }


def _response(call: Call, id_: str, values: orjson.Fragment, predicted: Predicted) -> bytes:
    """What the portal would have answered, for the record."""
    predictions = predicted.predictions
    content: dict[str, Any] = {
        "id": id_,
        "model": call.copy.model,
        "version": call.copy.version,
        "predictions": values,
    }
    if predictions.probabilities is not None:
        content["probabilities"] = outputs.json_of(predictions.probabilities)
        content["labels"] = list(predictions.labels or ())
    if predicted.warnings:
        content["warnings"] = [warning.to_json() for warning in predicted.warnings]
    return orjson.dumps(content)


def _packed(written: Written, accepted: str | None) -> Written:
    body, encoding = bodies.packed(written.body, accepted)
    if encoding is None:
        return written
    return Written(body, [*written.headers, ("content-encoding", encoding)])
