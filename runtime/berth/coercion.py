"""Rows to columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.field import Field
from berth.problems import Problem


@dataclass(frozen=True, slots=True)
class Coerced:
    """Columns ready for a Predictor.

    `columns`: per field an array [n, 1]: float64 for numbers, integers and booleans (missing:
    NaN), object holding str for strings (missing: MISSING_STRING). `warnings`: what lies
    outside the inferred and was let through. `indices`: for a file, int64 [n], which of its
    rows these are; None for a live call, where all are.
    """

    columns: dict[str, NDArray[Any]]
    rows: int
    warnings: list[Problem] = field(default_factory=list)
    indices: NDArray[np.int64] | None = None


class Coercion:
    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields

    def rows(self, rows: Sequence[object]) -> Coerced:
        raise NotImplementedError

    def columns(self, columns: Mapping[str, Any]) -> Coerced:
        raise NotImplementedError

    def file(
        self, columns: Mapping[str, Any], first: int
    ) -> tuple[Coerced, dict[int, list[Problem]]]:
        raise NotImplementedError
