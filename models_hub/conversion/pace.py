"""How long a model takes for one row."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

CALLS = 200


def median_ms(
    ask: Callable[[dict[str, Any]], object],
    columns: Mapping[str, Any],
    *,
    calls: int = CALLS,
    seconds: float = 5.0,
) -> float:
    """The median of up to `calls` one-row calls, and of no more than fit into `seconds`, in
    milliseconds. `columns` are the rows to ask for, taken in turn. Raises what `ask` raises."""
    total = len(next(iter(columns.values())))
    took: list[float] = []
    while len(took) < calls and sum(took) < seconds:
        row = len(took) % total
        one = {name: cells[row : row + 1] for name, cells in columns.items()}
        started = time.perf_counter()
        ask(one)
        took.append(time.perf_counter() - started)
    return float(np.median(took) * 1e3)
