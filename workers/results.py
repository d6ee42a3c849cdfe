"""A job's result: the caller's own columns, as they came, beside what was predicted.

Made from two sides that belong together by row number: the chunks' stored rows and the
predictions database. Where the organisation keeps no inputs, the key stands in their place.
Nothing of it is in memory but one stored object's rows. The database is
asked in a transaction for each, so that a slow download holds none open.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import UUID

import polars as pl
from django.conf import settings
from django.db.models import QuerySet

from berth.signature import Signature
from portal.errors import Conflict, NotAcceptable
from portal.tenancy import scope
from workers.labels import label_text
from workers.models import Chunk, Job, JobRow
from workers.objects import object_of

FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
ROWS_AT_ONCE = 10_000
# As portal.formulas, for whole columns (a job's decimals may also begin or end with the point).
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class Result:
    """What a download needs to know of a job; it outlives the request's transaction."""

    organisation_id: UUID
    job_id: UUID
    shelf: int
    columns: tuple[str, ...]
    signature: Signature
    instead: str = ""
    """Where the inputs are gone: what stands in their place, the rows' "key" or their "row"."""

    @property
    def is_classification(self) -> bool:
        return self.signature.output.kind == "classification"

    @property
    def own_names(self) -> dict[str, str]:
        """Our columns' names; one that the caller's file has too gets an underscore more."""
        ours = ["prediction", *(["probability"] if self.is_classification else []), "error"]
        return {name: self._free(name) for name in ours}

    def _free(self, name: str) -> str:
        while name in self.columns:
            name += "_"
        return name


def result_of(job: Job, format_: str) -> Result:
    """The result of an ended job. Raises NotAcceptable for an unknown format, Conflict while
    the job is at work."""
    if format_ not in FORMATS:
        raise NotAcceptable(f"“format” is one of {', '.join(FORMATS)}.")
    if job.status in (Job.Status.QUEUED, Job.Status.RUNNING):
        raise Conflict("The job has not ended yet; ask again when it has.", code="job_not_ended")
    signature = Signature.from_json(job.version.signature)
    place = (job.organisation_id, job.pk, job.shelf)
    if not job.inputs_gone:
        return Result(*place, tuple(job.columns), signature)
    instead = "key" if job.key_column else "row"
    return Result(*place, (job.key_column or "row",), signature, instead)


def preview(result: Result, rows: int) -> pl.DataFrame:
    """The first rows of the result; no columns where nothing was scored yet."""
    first = next(frames(result), None)
    return pl.DataFrame() if first is None else first.head(rows)


def frames(result: Result) -> Iterator[pl.DataFrame]:
    """The result's rows in the order of the file, an object's at a time. Enters the scope."""
    yield from _without_inputs(result) if result.instead else _with_inputs(result)


def _with_inputs(result: Result) -> Iterator[pl.DataFrame]:
    with scope(result.organisation_id):
        chunks = list(
            Chunk.objects.filter(job_id=result.job_id, row_from__gte=0)
            .order_by("object_from", "row_from")
            .distinct("object_from")
        )
    for chunk in chunks:
        given = object_of(chunk)
        with scope(result.organisation_id):
            end = chunk.object_from + given.height
            rows = _rows(result).filter(row__gte=chunk.object_from, row__lt=end)
            answers = _answers(rows)
        if answers.height:
            places = answers["row"] - chunk.object_from
            yield _joined(result, given.select(pl.all().gather(places)), answers)


def _without_inputs(result: Result) -> Iterator[pl.DataFrame]:
    """Keys (or, where there are none, the rows' numbers) and what was predicted for them."""
    following = 0
    while True:
        with scope(result.organisation_id):
            answers = _answers(_rows(result).filter(row__gte=following)[:ROWS_AT_ONCE])
        if not answers.height:
            return
        following = answers["row"][-1] + 1
        yield _joined(result, answers.select(pl.col(result.instead).alias("0")), answers)


def _rows(result: Result) -> QuerySet[JobRow]:
    return JobRow.objects.filter(shelf=result.shelf, job_id=result.job_id).order_by("row")


def _answers(rows: QuerySet[JobRow]) -> pl.DataFrame:
    """What the predictions database has of these rows."""
    schema = {"row": pl.Int64, "key": pl.String, "value": pl.Float64, "label": pl.String}
    schema |= {"probability": pl.Float64, "error": pl.String}
    return pl.DataFrame(list(rows.values_list(*schema)), schema=schema, orient="row")


def _joined(result: Result, given: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    prediction = _labels(result, answers["label"]) if result.is_classification else answers["value"]
    ours = {"prediction": prediction, **{n: answers[n] for n in ("probability", "error")}}
    columns = [
        # JSON lines may have met a column only later in the file.
        (given[str(i)] if str(i) in given.columns else _nothing(given.height)).alias(name)
        for i, name in enumerate(result.columns)
    ]
    return pl.DataFrame(columns + [ours[n].alias(name) for n, name in result.own_names.items()])


def _nothing(rows: int) -> pl.Series:
    return pl.Series([None] * rows, dtype=pl.String)


def _labels(result: Result, texts: pl.Series) -> pl.Series:
    """Labels in the type that the model gives them, where that is one type."""
    labels = {label_text(label): label for label in result.signature.output.labels or ()}
    if len(set(map(type, labels.values()))) != 1:
        return texts
    return pl.Series([labels.get(text) for text in texts], dtype=_kind(labels))


def _kind(labels: Mapping[str, object]) -> pl.DataType:
    return pl.Series(list(labels.values())).dtype


def csv_pieces(result: Result) -> Iterator[bytes]:
    """The result as CSV (UTF-8), safe to open in a spreadsheet: a text that would be taken for
    a formula gets an apostrophe before it. Numbers stay as they are."""
    names = [*result.columns, *result.own_names.values()]
    header = pl.DataFrame({str(i): [name] for i, name in enumerate(names)}, strict=False)
    yield header.select(harmless(pl.all())).write_csv(include_header=False).encode()
    for frame in frames(result):
        safe = frame.with_columns(harmless(pl.col(pl.String)))
        yield safe.write_csv(include_header=False).encode()


def harmless(texts: pl.Expr) -> pl.Expr:
    dangerous = texts.str.contains(_FORMULA) & ~texts.str.contains(_NUMBER)
    return pl.when(dangerous).then(pl.lit("'") + texts).otherwise(texts).name.keep()


@contextmanager
def parquet_file(result: Result) -> Iterator[Path]:
    """The result as a Parquet file on this machine's disk, gone afterwards.

    Written in parts first, which polars then streams into one: it asks a source of frames from
    threads of its own, which have neither our transaction nor our scope.
    """
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as name:
        folder = Path(name)
        parts = [folder / "0.parquet"]
        _empty(result).write_parquet(parts[0])
        for i, frame in enumerate(frames(result)):
            parts[i:] = [folder / f"{i}.parquet"]
            frame.write_parquet(parts[i])
        whole = folder / "whole.parquet"
        pl.scan_parquet(parts).sink_parquet(whole, compression="zstd")
        yield whole


def _empty(result: Result) -> pl.DataFrame:
    names = [*result.columns, *result.own_names.values()]
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def parquet_pieces(result: Result) -> Iterator[bytes]:
    """The result as Parquet. It is written whole before the first piece is sent: what Parquet
    says of its content stands at its end."""
    with parquet_file(result) as path, path.open("rb") as stream:
        yield from _pieces(stream)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(256 * 1024):
        yield piece


PIECES = {"csv": csv_pieces, "parquet": parquet_pieces}
