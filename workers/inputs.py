"""The cells of a file's rows as a model's inputs: which column, which decimal sign, what is off.

Scoring and the dry run before it judge rows by this alone, so the one tells what the other does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from berth.problems import Problem, pointer, shown
from berth.signature import Coerced, Signature
from workers.reading import ERROR
from workers.reading.decimals import with_points

_NUMERIC = ("number", "integer")


@dataclass(frozen=True, slots=True)
class Judged:
    """``columns``: the good rows, ready for a predictor. ``good``: their places among the rows
    judged, int64 [n]. ``faults``: what is wrong with each of the others, by its place."""

    columns: dict[str, NDArray[Any]]
    good: NDArray[np.int64]
    faults: dict[int, list[Problem]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """How a file's columns become a signature's inputs. ``columns``: the file's, in order;
    ``mapping``: by an input's name its column, where that has another name."""

    signature: Signature
    columns: Sequence[str]
    mapping: Mapping[str, str]
    decimal: str = "."

    def cells(self, frame: pl.DataFrame) -> dict[str, pl.Series]:
        """The cells by the inputs' names, without those that the rows (a Batch's frame) lack:
        JSON lines may meet a column only later."""
        places = {column: str(i) for i, column in enumerate(self.columns)}
        found = {}
        for field in self.signature.inputs:
            place = places.get(self.mapping.get(field.name, field.name))
            if place in frame.columns:
                found[field.name] = frame[place]
        return found

    def numeric(self, frame: pl.DataFrame) -> list[pl.Series]:
        """The cells of those inputs that should be numbers."""
        kinds = {field.name: field.type for field in self.signature.inputs}
        return [cells for name, cells in self.cells(frame).items() if kinds[name] in _NUMERIC]

    def judge(self, frame: pl.DataFrame, first_row: int) -> Judged:
        """Which rows of a Batch's frame can be predicted, and what is wrong with the others.
        ``first_row`` is the number of the first one in the file."""
        faults = {
            place: [Problem(f"/rows/{first_row + place}", "unreadable", detail)]
            for place, detail in enumerate(frame[ERROR].to_list())
            if detail is not None
        }
        cells = self.cells(frame)
        if self.decimal == ",":
            self._read_commas(cells, faults, first_row)
        readable = np.setdiff1d(np.arange(frame.height), list(faults), assume_unique=True)
        texts = {name: series.gather(readable) for name, series in cells.items()}
        if not texts:  # no column is the model's: all inputs take what stands for none
            texts = {"": pl.Series(range(len(readable)))}
        coerced, bad = self.signature.coerce_lenient(texts, 0)
        for index, problems in bad.items():
            place = int(readable[index])
            faults[place] = [_moved(problem, first_row + place) for problem in problems]
        return Judged(coerced.columns, readable[_kept(coerced)], faults)

    def _read_commas(
        self, cells: dict[str, pl.Series], faults: dict[int, list[Problem]], first_row: int
    ) -> None:
        kinds = {field.name: field.type for field in self.signature.inputs}
        for name, texts in list(cells.items()):
            if kinds[name] not in _NUMERIC or texts.dtype != pl.String:
                continue
            cells[name], misfits = with_points(texts)
            for place in misfits.arg_true().to_list():
                detail = f'"{name}" must be a number with a decimal comma, but it is'
                problem = Problem(
                    pointer("rows", first_row + place, name),
                    "wrong_type",
                    f"{detail} {shown(texts[place])}.",
                )
                faults.setdefault(place, []).append(problem)


def _kept(coerced: Coerced) -> Any:
    return slice(None) if coerced.indices is None else coerced.indices


def _moved(problem: Problem, row: int) -> Problem:
    """The problem with the row's number in the file, where it had that among those coerced."""
    rest = problem.pointer.split("/", 3)[3:]
    return Problem("/".join(["", "rows", str(row), *rest]), problem.code, problem.detail)
