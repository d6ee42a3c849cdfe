"""One certificate a version: the same rows through every architecture's own code.

The judge of an upload has shown by then that the model answers as the pipeline does. What is shown
here is that each way to it does too: its parsing, its columns, its encoding. The rows are drawn
from the signature as the judge draws them: both ends of each range, each choice, unknown ones and
missing values where they are allowed. How long each way takes is measured on the way.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import structlog

from berth.bundle import Bundle
from berth.predictor import Predictor
from berth.signature import MISSING_STRING, Field, Signature
from models_hub import sealing
from models_hub.conversion.answers import Answers
from models_hub.conversion.draw import draw
from models_hub.conversion.parity import Columns, compare, predict
from models_hub.native import NativePredictor
from portal.errors import Unavailable
from workers.certifying.ways import WAYS, Candidate, Rows, Way

log = structlog.get_logger()
MOST_CALLS = 200
CALLS_SECONDS = 0.1  # of one-row calls, and of thousand-row calls, each way
MANY = 1_000

Certificate = dict[str, Any]


def certify(organisation_id: UUID, bundle: Bundle) -> Certificate:
    """The certificate of a sealed Bundle.

    ``{"rows", "passed", "ways": {name: {"worst", "mismatches", "rows_per_second", "calls",
    "p50_ms", "p99_ms"} or {"failed": sentence}}}``; ``worst`` is relative (regression) or of a
    probability. Only the ways that can run the version at all are among them, and the last three
    stand with live ways alone. Raises Unavailable where a native model can't be asked just now.
    """
    if bundle.onnx:
        return _certificate(Candidate(bundle, _loaded(bundle)))
    predictor = NativePredictor(organisation_id, bundle)
    try:
        return _certificate(Candidate(bundle, predictor))
    finally:
        predictor.dismiss()  # a worker's next upload wants the place


def _certificate(candidate: Candidate) -> Certificate:
    columns, rows, expected = _reference(candidate)
    ways = {
        name: _try(name, way, candidate, columns, rows, expected)
        for name, way in WAYS.items()
        if candidate.bundle.onnx or way.runs_natively
    }
    passed = all(way.get("mismatches") == 0 for way in ways.values())
    return {"rows": len(rows), "passed": passed, "ways": ways}


def _loaded(bundle: Bundle) -> Predictor:
    """As everybody outside loads it: from the file's bytes, every one of them checked."""
    predictor = Predictor.from_bytes(bundle.data, sealing.signing_key().public_key())
    predictor.verify_golden()
    return predictor


def _reference(candidate: Candidate) -> tuple[Columns, Rows, Answers]:
    """Drawn rows, as columns and as a caller writes them, with the model's answers; without those
    that the model has no answer for."""
    signature = candidate.signature
    drawn = draw(signature, {}, seed=0)
    answers = predict(candidate.predictor, drawn)
    kept = np.array([value == value and value is not None for value in answers.values.tolist()])
    columns = {name: cells[kept] for name, cells in drawn.items()}
    return columns, rows_of(signature, columns), answers.take(kept)


def rows_of(signature: Signature, columns: Columns) -> Rows:
    """A Predictor's columns as the rows that a caller would have sent."""
    cells = [
        [_written(field, cell) for cell in columns[field.name][:, 0].tolist()]
        for field in signature.inputs
    ]
    names = [field.name for field in signature.inputs]
    return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]


def _written(field: Field, cell: Any) -> Any:
    if cell == MISSING_STRING or cell != cell:
        return None
    if field.type == "boolean":
        return bool(cell)
    return int(cell) if field.type == "integer" else cell


def _try(
    name: str, way: Way, candidate: Candidate, columns: Columns, rows: Rows, due: Answers
) -> dict[str, Any]:
    try:
        parity = compare(due, way.answer(candidate, rows), columns)
        figures = _measure(way, candidate, rows)
    except Unavailable:  # no word about the version: it is tried again
        raise
    except Exception as error:  # whatever it is, this way does not answer
        log.error("way_failed", way=name, error=str(error), exc_info=True)
        return {"failed": str(error)[:300] or type(error).__name__}
    return {"worst": parity.max_relative_error, "mismatches": parity.mismatches, **figures}


def _measure(way: Way, candidate: Candidate, rows: Rows) -> dict[str, Any]:
    """A thousand rows at a time and, of a live way, one; `calls` is how many one-row calls."""
    answer = partial(way.answer, candidate)
    many = _timed(answer, [rows[:MANY]] * MOST_CALLS)
    figures: dict[str, Any] = {"rows_per_second": round(len(rows[:MANY]) / float(np.median(many)))}
    if way.is_live:
        one = _timed(answer, [[row] for row in rows[:MOST_CALLS]])
        p50, p99 = (np.quantile(one, [0.5, 0.99]) * 1e3).tolist()
        figures |= {"calls": len(one), "p50_ms": round(p50, 4), "p99_ms": round(p99, 4)}
    return figures


def _timed(answer: Callable[[Rows], Answers], calls: list[Rows]) -> list[float]:
    """Seconds of each call, until they are done or their time is over; one call at least."""
    took: list[float] = []
    until = time.perf_counter() + CALLS_SECONDS
    for rows in calls:
        started = time.perf_counter()
        answer(rows)
        took.append(time.perf_counter() - started)
        if time.perf_counter() > until:
            break
    return took
