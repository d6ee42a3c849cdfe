"""A live call: coerce, predict, journal, answer. Every door to live predictions comes here."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import uuid_utils
from django.conf import settings

from berth.journal import SEPARATOR, Journal
from berth.predictions import PredictionError, Predictions
from berth.problems import Problem, pointer
from berth.signature import Coerced, Signature
from portal.errors import Conflict, Invalid, Unavailable
from predictions.engine import ENGINE

JOURNAL = Journal(settings.ENV.home / "journal")
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: rows (``instances``) or columns, of which model, by whom.

    ``body`` is the JSON that came in, kept as it was; built from the rows where there was none.
    """

    organisation_id: UUID
    source: str
    slug: str
    instances: Sequence[Mapping[str, Any]] | None = None
    columns: Mapping[str, Sequence[Any]] | None = None
    version: int | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; ``body`` is its JSON, the very bytes that were journaled."""

    content: dict[str, Any]
    body: bytes
    signature: Signature


def answer(question: Question) -> Answer:
    """The predictions, journaled before this returns.

    Raises Invalid (errors point at row and field), NotFound, Conflict when nothing is live or
    the deployment is off, Unavailable when the journal can't be written.
    """
    started = time.perf_counter()
    served = ENGINE.find(question.organisation_id, question.slug, question.version)
    if not served.active:
        raise Conflict(
            f"Live predictions of “{question.slug}” are switched off.", code="deployment_off"
        )
    predictor = ENGINE.predictor(question.organisation_id, served)
    coerced = _coerce(predictor.signature, question)
    try:
        predictions = predictor.predict(coerced.columns)
    except PredictionError as error:
        raise _unanswered(question, error) from error
    content: dict[str, Any] = {
        "id": str(uuid_utils.uuid7()),
        "model": served.model,
        "version": served.number,
        **outputs(predictor.signature, predictions),
    }
    if coerced.warnings:
        content["warnings"] = [warning.to_json() for warning in coerced.warnings]
    body = orjson.dumps(content)
    elapsed = (time.perf_counter() - started) * 1000
    _journal(question, content, body, coerced.rows, elapsed)
    return Answer(content, body, predictor.signature)


def _unanswered(question: Question, error: PredictionError) -> Invalid:
    """The model failed on input that fits: its rows are named where they are known."""
    rows = error.rows[:MOST_NAMED] if question.instances is not None else ()
    detail = "The model has no finite answer for this row."
    problems = [Problem(pointer("instances", row), "no_prediction", detail) for row in rows]
    return Invalid(str(error), code="no_prediction", errors=problems)


def _coerce(signature: Signature, question: Question) -> Coerced:
    if question.instances is not None:
        _check_count(len(question.instances), "/instances")
        return signature.coerce(question.instances)
    columns = question.columns or {}
    longest = max((len(column) for column in columns.values() if _sized(column)), default=0)
    _check_count(longest, "/columns")
    return signature.coerce_columns(columns)


def _sized(column: object) -> bool:
    return isinstance(column, Sequence) and not isinstance(column, str)


def _check_count(rows: int, pointer: str) -> None:
    most = settings.MAX_ROWS_PER_CALL
    if rows > most:
        detail = f"A call takes at most {most:,} rows, this one has {rows:,}. Use a job for more."
        raise Invalid(detail, errors=[Problem(pointer, "too_many_rows", detail)])
    if rows == 0:
        detail = "At least one row is needed."
        raise Invalid(detail, errors=[Problem(pointer, "no_rows", detail)])


def outputs(signature: Signature, predictions: Predictions) -> dict[str, Any]:
    """What an answer says of the rows; `labels` name the probabilities' columns."""
    said: dict[str, Any] = {"predictions": predictions.values.tolist()}
    if predictions.probabilities is not None:
        said["probabilities"] = predictions.probabilities.tolist()
        said["labels"] = list(signature.output.labels or ())
    return said


def _journal(
    question: Question, content: Mapping[str, Any], body: bytes, rows: int, elapsed: float
) -> None:
    about = (
        content["id"],
        str(question.organisation_id),
        datetime.now(UTC),
        content["model"],
        content["version"],
        question.source,
        rows,
        elapsed,
    )
    request = question.body or orjson.dumps(
        {"instances": question.instances, "version": question.version}
    )
    try:
        JOURNAL.append(SEPARATOR.join((orjson.dumps(about), request, body)))
    except OSError as error:
        raise Unavailable(
            "The answer can't be put on record just now, so it is not given.",
            code="journal_unavailable",
        ) from error
