"""Splits on sets of categories, for trees whose nodes compare numbers.

Each distinct split (a column, and which of its categories go left) becomes one indicator column: 0
for a row that goes left, 1 for one that goes right. A node then asks whether it is below 0.5.
"""

from collections import defaultdict
from typing import Any

import numpy as np

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.encoding import looked_up, place
from models_hub.conversion.writers.table import Part, Table


def coded(pen: Pen, table: Table, categories: dict[int, list[Any]]) -> Table:
    """The table with each categorical column (by its place) as the place of its category; NaN
    where that is missing or unknown."""
    if not categories:
        return table
    columns = table.columns(pen)
    for index, known in categories.items():
        codes = [*range(len(known)), np.nan]
        columns[index] = Part(looked_up(pen, place(pen, columns[index], known), codes), 1)
    return Table(tuple(columns))


class Splits:
    """Collects the splits of an ensemble. `sizes`: how many categories each column has; `first`:
    how many columns stand before the indicators."""

    def __init__(self, sizes: list[int], first: int) -> None:
        self.sizes = sizes
        self._first = first
        self._places: dict[tuple[int, bytes], int] = {}

    def __bool__(self) -> bool:
        """Is there any?"""
        return bool(self._places)

    def column(self, column: int, bits: Any, unknown_left: bool) -> int:
        """The number of the indicator for a split: `bits`, 32 to a word, say which categories go
        left; what is missing or unknown goes where `unknown_left` says."""
        codes = np.arange(self.sizes[column])
        words = np.asarray(bits, dtype=np.uint32)
        inside = codes // 32 < len(words)
        word = words[np.minimum(codes // 32, len(words) - 1)]
        left = ((word >> (codes % 32).astype(np.uint32)) & 1).astype(bool) & inside
        return self._numbered(column, ~left, unknown_left)

    def right(self, column: int, places: list[int], *, unknown_left: bool) -> int:
        """As `column`, of a split that names the categories that go right."""
        right = np.isin(np.arange(self.sizes[column]), places)
        return self._numbered(column, right, unknown_left)

    def _numbered(self, column: int, right: Any, unknown_left: bool) -> int:
        key = (column, np.append(right, not unknown_left).tobytes())
        return self._first + self._places.setdefault(key, len(self._places))

    def write(self, pen: Pen, codes: list[str]) -> list[str]:
        """The indicators [n, splits] from each column's codes [n, 1]; an unknown value's code is
        the number of categories."""
        if not self._places:
            return []
        columns: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for (column, right), number in self._places.items():
            columns[column].append((number, right))
        blocks, order = [], []
        for column, splits in columns.items():
            values = [np.frombuffer(right, dtype=bool) for _, right in splits]
            blocks.append(looked_up(pen, codes[column], np.column_stack(values)))
            order += [number for number, _ in splits]
        return [pen.gather(pen.joined(blocks), np.argsort(order))]
