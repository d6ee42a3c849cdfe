"""Some rows of a table as bytes on the way out of a child: no names, no types, nothing to parse.

Both sides know the columns' kinds beforehand. All numbers are little endian. A batch is the count
of rows (u32), and for each column one byte a row that says whether there is a value, and then by
its kind n float64, n int64, n bytes (0 or 1), or, for texts, their lengths in characters (n u32),
the length of them all in bytes (u32) and the texts in UTF-8.
"""

import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_hub.sandbox.packing import Cursor, Misfit

TEXT = "text"
KINDS: dict[str, tuple[np.dtype[Any], type[pl.DataType]]] = {
    "number": (np.dtype("<f8"), pl.Float64),
    "integer": (np.dtype("<i8"), pl.Int64),
    "boolean": (np.dtype("u1"), pl.Boolean),
    TEXT: (np.dtype("<u4"), pl.String),
}
_COUNT = struct.Struct("<I")


def pack(frame: pl.DataFrame, kinds: Sequence[str]) -> bytes:
    """The frame, whose columns are of the types that KINDS says."""
    parts = [_COUNT.pack(frame.height)]
    for series, kind in zip(frame.get_columns(), kinds, strict=True):
        parts.append(series.is_not_null().to_numpy().astype("u1").tobytes())
        if kind == TEXT:
            texts = series.fill_null("")
            data = "".join(texts.to_list()).encode()
            parts += [
                texts.str.len_chars().to_numpy().astype(KINDS[TEXT][0]).tobytes(),
                _COUNT.pack(len(data)),
                data,
            ]
        else:
            dtype, empty = KINDS[kind][0], False if kind == "boolean" else 0
            parts.append(series.fill_null(empty).to_numpy().astype(dtype).tobytes())
    return b"".join(parts)


def unpack(data: bytes, kinds: Sequence[str]) -> pl.DataFrame:
    """The rows, columns named "0", "1", …, read as what a stranger says. Raises Misfit."""
    cursor = Cursor(data, 0)
    rows = _count(cursor)
    series = [_column(cursor, str(i), kind, rows) for i, kind in enumerate(kinds)]
    cursor.end()
    return pl.DataFrame(series)


def _count(cursor: Cursor) -> int:
    return int(_COUNT.unpack(cursor.raw(_COUNT.size))[0])


def _column(cursor: Cursor, name: str, kind: str, rows: int) -> pl.Series:
    there = cursor.array(np.dtype("u1"), rows).astype(bool)
    cells = cursor.array(KINDS[kind][0], rows)
    if kind == TEXT:
        values = pl.Series(name, _texts(cells, cursor), dtype=pl.String)
    else:
        values = pl.Series(name, cells.astype(bool) if kind == "boolean" else cells)
    if there.all():
        return values
    return pl.select(pl.when(pl.Series(there)).then(values).alias(name)).to_series()


def _texts(lengths: NDArray[Any], cursor: Cursor) -> list[str]:
    try:
        text = cursor.raw(_count(cursor)).decode()
    except UnicodeDecodeError as error:
        raise Misfit("A text is no UTF-8.") from error
    ends = list(accumulate(lengths.tolist(), initial=0))
    if ends[-1] != len(text):
        raise Misfit("The texts' lengths are wrong.")
    return [text[start:end] for start, end in pairwise(ends)]
