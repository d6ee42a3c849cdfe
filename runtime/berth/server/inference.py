"""One call: read, coerce, predict, put on record, write the answer. The only way to predictions."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import uuid_utils

from berth.calls import MOST_ROWS
from berth.journal import SEPARATOR, Journal
from berth.predictions import PredictionError, Predictions
from berth.problems import InvalidInput
from berth.server import bodies, outputs, tensors
from berth.server.errors import ProtocolError, bad, place, unfit
from berth.server.keyring import Key
from berth.server.outputs import Written
from berth.server.shelf import Copy, Shelf
from berth.server.tensors import Asked
from berth.signature import Coerced, Signature


@dataclass(frozen=True, slots=True)
class Call:
    """A request to `…/infer` as it came in, its key known and its model found."""

    copy: Copy
    key: Key
    body: bytes
    encoding: str | None = None
    json_length: str | None = None
    accepted: str | None = None


@dataclass(frozen=True, slots=True)
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
        started = time.perf_counter()
        asked = tensors.read(bodies.unpacked(call.body, call.encoding), call.json_length)
        predictor = self.shelf.predictor(call.copy)
        output = predictor.signature.output
        outputs.check(asked, output)
        coerced = _coerced(predictor.signature, asked)
        try:
            predictions = predictor.predict(coerced.columns)
        except PredictionError as error:
            raise bad(str(error)) from error
        id_ = str(uuid_utils.uuid7())
        found = outputs.tensors(output, predictions)
        predicted = outputs.json_of(predictions.values)
        fragments = {output.name: predicted} if found[output.name].plain else {}
        written = outputs.write(_head(call, asked, id_, coerced), found, fragments, asked)
        response = _response(call, id_, predicted, predictions, coerced)
        self._record(call, asked, id_, coerced.rows, started, response)
        return Answer(_packed(written, call.accepted), coerced.rows)

    def _record(
        self,
        call: Call,
        asked: Asked,
        id_: str,
        rows: int,
        started: float,
        response: bytes,
    ) -> None:
        """The same record as the portal's, so that whoever reads them needs to know but one."""
        copy = call.copy
        about = (
            id_,
            copy.organisation_id,
            datetime.now(UTC),
            copy.model,
            copy.version,
            call.key.id,
            rows,
            (time.perf_counter() - started) * 1000,
        )
        request = orjson.dumps({"columns": asked.columns})
        try:
            self.journal.append(SEPARATOR.join((orjson.dumps(about), request, response)))
        except OSError as error:
            detail = "The answer can't be put on record just now, so it is not given."
            raise ProtocolError(503, detail, ("retry-after", "5")) from error


def _coerced(signature: Signature, asked: Asked) -> Coerced:
    rows = max(map(len, asked.columns.values()))
    if rows > MOST_ROWS:
        raise bad(f"A call takes at most {MOST_ROWS:,} rows, this one has {rows:,}.")
    if rows == 0:
        raise bad("At least one row is needed.")
    try:
        return signature.coerce_columns(asked.columns)
    except InvalidInput as error:
        raise unfit(error.errors) from error


def _head(call: Call, asked: Asked, id_: str, coerced: Coerced) -> dict[str, Any]:
    """The answer without its outputs. `parameters` hold texts alone, as the protocol wants: the
    warnings are JSON inside one."""
    parameters = {"prediction_id": id_}
    if coerced.warnings:
        told = [{**warning.to_json(), "pointer": place(warning)} for warning in coerced.warnings]
        parameters["warnings"] = orjson.dumps(told).decode()
    return {
        "model_name": call.copy.model,
        "model_version": str(call.copy.version),
        "id": id_ if asked.id is None else asked.id,
        "parameters": parameters,
    }


def _response(
    call: Call,
    id_: str,
    predicted: orjson.Fragment,
    predictions: Predictions,
    coerced: Coerced,
) -> bytes:
    """What the portal would have answered, for the record."""
    content: dict[str, Any] = {
        "id": id_,
        "model": call.copy.model,
        "version": call.copy.version,
        "predictions": predicted,
    }
    if predictions.probabilities is not None:
        content["probabilities"] = outputs.json_of(predictions.probabilities)
        content["labels"] = list(predictions.labels or ())
    if coerced.warnings:
        content["warnings"] = [warning.to_json() for warning in coerced.warnings]
    return orjson.dumps(content)


def _packed(written: Written, accepted: str | None) -> Written:
    body, encoding = bodies.packed(written.body, accepted)
    if encoding is None:
        return written
    return Written(body, [*written.headers, ("content-encoding", encoding)])
