"""The sample of real rows that may come with an upload: CSV or Parquet, from a stranger.

Read in the sandboxed process only. Parsing is polars's; nothing but plain columns leaves here.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models_hub.formats.refusal import Refused

MAX_ROWS = 200_000
MAX_COLUMNS = 2_000
NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
PARQUET = b"PAR1"
BOOLEANS = {"True": True, "False": False, "TRUE": True, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows as the model was trained on, without the target; the target beside them if named."""

    rows: pl.DataFrame
    target: pl.Series | None

    @property
    def names(self) -> list[str]:
        """The columns' names, in the file's order."""
        return self.rows.columns


def read_sample(path: Path, target: str | None) -> Sample:
    """The first `MAX_ROWS` rows of a CSV or Parquet file, numbers, booleans and texts only.

    Raises `Refused`: `sample_unreadable`, `sample_too_wide`, `target_not_in_sample`.
    """
    frame = _plain(_parse(path))
    if frame.width > MAX_COLUMNS:
        raise Refused("sample_too_wide", f"The sample has more than {MAX_COLUMNS} columns.")
    if not frame.height:
        raise Refused("sample_unreadable", "The sample has a header but no rows.")
    if not target:
        return Sample(frame, None)
    if target not in frame.columns:
        raise Refused(
            "target_not_in_sample",
            f"The sample has no column {target[:80]!r}; it has {', '.join(frame.columns)[:200]}.",
        )
    return Sample(frame.drop(target), frame[target])


def _parse(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:
        is_parquet = file.read(4) == PARQUET
    try:
        if is_parquet:
            return pl.read_parquet(path, n_rows=MAX_ROWS, use_pyarrow=False)
        return pl.read_csv(path, n_rows=MAX_ROWS, null_values=NULLS, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError, UnicodeError, ValueError) as error:
        text = str(error).split("\n")[0][:200]
        raise Refused(
            "sample_unreadable", f"The sample is not a readable CSV or Parquet file ({text})."
        ) from error


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame([_plain_column(column) for column in frame.get_columns()])


def _plain_column(column: pl.Series) -> pl.Series:
    if column.dtype.is_decimal():
        return column.cast(pl.Float64)
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column
    texts = column.cast(pl.String, strict=False)
    distinct = set(texts.drop_nulls().unique().to_list())
    if distinct and distinct <= set(BOOLEANS):
        return texts.replace_strict(BOOLEANS, return_dtype=pl.Boolean)
    return texts
