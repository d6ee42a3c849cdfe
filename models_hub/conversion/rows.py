"""The rows that parity is judged on: the sample's own, then drawn ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from berth.signature import Field, Signature
from models_hub.conversion.draw import draw
from models_hub.formats.refusal import Refused

MAX_SAMPLE_ROWS = 4_000


def parity_rows(
    signature: Signature,
    spans: Mapping[str, tuple[float, float]],
    sample: pl.DataFrame | None,
    seed: int,
) -> dict[str, Any]:
    """Columns in the Bundle's convention. A function of its arguments alone, so that the process
    that judges makes the same rows as the one that opened the upload.

    Of a long sample `MAX_SAMPLE_ROWS` rows, evenly spread, are taken.
    """
    drawn = draw(signature, spans, seed)
    if sample is None:
        return drawn
    own = sample_rows(signature, sample)
    return {name: np.concatenate([own[name], drawn[name]]) for name in drawn}


def sample_rows(signature: Signature, sample: pl.DataFrame) -> dict[str, Any]:
    """The sample's rows, coerced; rows that the signature refuses are left out.

    Raises `Refused`: `sample_lacks_columns`, or `sample_unusable` if most rows are refused.
    """
    absent = [item.name for item in signature.inputs if item.name not in sample.columns]
    if absent:
        raise Refused(
            "sample_lacks_columns",
            f"The pipeline wants columns that the sample does not have: {', '.join(absent)[:300]}.",
        )
    step = max(1, -(-sample.height // MAX_SAMPLE_ROWS))
    some = sample.gather_every(step)
    cells = {item.name: _cells(item, some[item.name]) for item in signature.inputs}
    coerced, refused = signature.coerce_lenient(cells)
    if len(refused) > some.height // 2:
        first = next(iter(refused.values()))[0]
        raise Refused(
            "sample_unusable",
            f"{len(refused)} of {some.height} rows of the sample do not fit the pipeline's "
            f"columns; the first: {first.detail}",
        )
    return coerced.columns


def _cells(field: Field, column: pl.Series) -> list[Any]:
    """A column's cells; numbers as texts where the pipeline learned texts (codes, say)."""
    return (column.cast(pl.String) if field.type == "string" else column).to_list()
