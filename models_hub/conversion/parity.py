"""Does the ONNX graph answer as the original does? On every row, or it is refused.

The measure, per row. Regression: |got - expected| / max(|expected|, floor), with the floor a
thousandth of the median |expected|, so that a prediction that happens to fall next to zero is
judged on the scale of the others. Classification: the labels must be equal (unless the two
likeliest classes tie to within 1e-9) and no probability may differ by more than the tolerance.
A classifier without probabilities is judged on its labels alone.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from berth.predictions import PredictionError, Predictions
from berth.predictor import Predictor
from berth.signature import Signature
from models_hub.conversion.answers import Answers
from models_hub.formats.refusal import Refused

TOLERANCE = 1e-5
MIN_ROWS = 2_000
WORST = 5  # rows that a report shows
SHOWN_FIELDS = 20
SHOWN_TEXT = 60
LATENCY_CALLS = 200
FLOOR = 1e-3
TIE = 1e-9

Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parity:
    """`wrong` is a mask of the rows beyond the tolerance; `worst` are those that differ most, each
    with its input, the answer that was due and the one that came."""

    rows: int
    max_relative_error: float
    wrong: Any
    worst: tuple[dict[str, Any], ...] = ()

    @property
    def mismatches(self) -> int:
        """How many rows are off."""
        return int(self.wrong.sum())

    def to_json(self) -> dict[str, Any]:
        """The contract's figures, and `worst`: {input, expected, got, error}, the worst first."""
        return {
            "rows": self.rows,
            "max_relative_error": self.max_relative_error,
            "mismatches": self.mismatches,
            "worst": list(self.worst),
        }


class Predicts(Protocol):
    """A Predictor, or what answers like one."""

    @property
    def signature(self) -> Signature: ...

    def predict(self, columns: Columns, /) -> Predictions: ...


def predict(predictor: Predicts, columns: Columns) -> Answers:
    """The Predictor's answers; NaN where it gives no finite one."""
    rows = len(next(iter(columns.values())))
    try:
        found = predictor.predict(columns)
    except PredictionError as error:
        if not error.rows:
            raise
        good = np.setdiff1d(np.arange(rows), error.rows)
        return _spread(predictor, columns, good, rows)
    return Answers(found.values, found.probabilities)


def _spread(predictor: Predicts, columns: Columns, good: Any, rows: int) -> Answers:
    values: Any = np.full(rows, np.nan, dtype=object)
    labels = predictor.signature.output.labels
    if not len(good):
        return Answers(values if labels else values.astype(float))
    found = predictor.predict({name: column[good] for name, column in columns.items()})
    values[good] = found.values
    if found.probabilities is None:
        return Answers(values if labels else values.astype(float))
    probabilities = np.full((rows, found.probabilities.shape[1]), np.nan)
    probabilities[good] = found.probabilities
    return Answers(values, probabilities)


def compare(expected: Answers, got: Answers, columns: Columns) -> Parity:
    """Row by row; NaN on either side is a mismatch. `columns` are the rows, for the report."""
    if expected.probabilities is None and expected.values.dtype == float:
        error = _relative(expected.values, got.values.astype(float))
        wrong = ~(error <= TOLERANCE)
    else:
        pairs = zip(expected.values.tolist(), got.values.tolist(), strict=True)
        wrong = np.array([there != here for there, here in pairs], dtype=bool)
        error = wrong.astype(float)
        if expected.probabilities is not None and got.probabilities is not None:
            error = np.abs(expected.probabilities - got.probabilities).max(axis=1)
            wrong = ~(error <= TOLERANCE) | (wrong & ~_tied(expected.probabilities))
    finite = error[np.isfinite(error)]
    order = np.lexsort((-np.where(np.isfinite(error), error, np.inf), ~wrong))[:WORST]
    worst = tuple(_difference(row, expected, got, error, columns) for row in order.tolist())
    return Parity(len(error), float(finite.max(initial=0.0)), wrong, worst)


def _difference(
    row: int, expected: Answers, got: Answers, error: Any, columns: Columns
) -> dict[str, Any]:
    """One row of the report; what is no finite number is None."""
    found = {
        "input": {name: _shown(columns[name][row, 0]) for name in list(columns)[:SHOWN_FIELDS]},
        "expected": _shown(expected.values[row]),
        "got": _shown(got.values[row]),
        "error": _shown(error[row]),
    }
    if expected.probabilities is not None and got.probabilities is not None:
        there, here = expected.probabilities[row], got.probabilities[row]
        place = int(np.argmax(np.nan_to_num(np.abs(there - here), nan=np.inf)))
        found |= {
            "expected_probability": _shown(there[place]),
            "got_probability": _shown(here[place]),
        }
    return found


def _shown(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str):
        return plain[:SHOWN_TEXT] or None
    return plain if isinstance(plain, int) or np.isfinite(plain) else None


def _tied(probabilities: Any) -> Any:
    """Rows whose two likeliest classes differ by rounding alone: either label is right."""
    top = np.sort(probabilities, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0] < TIE


def _relative(expected: Any, got: Any) -> Any:
    scale = np.abs(expected)
    floor = max(FLOOR * float(np.median(scale)), np.finfo(float).tiny)
    return np.abs(got - expected) / np.maximum(scale, floor)


def judge(parity: Parity) -> None:
    """Raise `Refused` (`parity_failed`, `parity_too_few_rows`) unless every row agrees."""
    if parity.rows < MIN_ROWS:
        raise Refused(
            "parity_too_few_rows",
            f"Only {parity.rows} rows could be compared, {MIN_ROWS} are needed: upload a sample "
            "of real rows with the model.",
            {"parity": parity.to_json()},
        )
    if parity.mismatches:
        raise Refused(
            "parity_failed",
            f"As ONNX the model answers differently on {parity.mismatches} of {parity.rows} rows "
            f"(worst: {parity.max_relative_error:.2g} relative), so it is not used.",
            {"parity": parity.to_json()},
        )


def latency_ms(predictor: Predictor, signature: Signature, columns: Columns) -> float:
    """The median of `LATENCY_CALLS` one-row calls, in milliseconds."""
    names = [field.name for field in signature.inputs]
    total = len(columns[names[0]])
    took = []
    for call in range(LATENCY_CALLS):
        row = call % total
        one = {name: columns[name][row : row + 1] for name in names}
        started = time.perf_counter()
        predictor.predict(one)
        took.append(time.perf_counter() - started)
    return float(np.median(took) * 1e3)
