"""What a model says for rows, whoever is asked."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said for n rows: `values` [n] (numbers, or labels as objects), and for a
    classification `probabilities` [n, k]."""

    values: Any
    probabilities: Any | None = None

    def take(self, rows: Any) -> "Answers":
        """The answers for some of the rows (an index or a mask)."""
        some = None if self.probabilities is None else self.probabilities[rows]
        return Answers(self.values[rows], some)
