"""A job's result: the caller's own columns, as they came, beside what was predicted.

Made from two sides that belong together by row number: the chunks' stored rows and the
predictions database. Nothing of it is in memory but one stored object's rows. The database is
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
from polars.io.plugins import register_io_source

from berth.signature import Signature
from portal.errors import Conflict, NotAcceptable
from portal.tenancy import scope
from workers.models import Chunk, Job, JobRow
from workers.scoring import label_text
from workers.splitting import object_of

FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
# What a spreadsheet takes for a formula when a cell starts with it (OWASP, "CSV Injection").
_FORMULA = r"^[=+\-@\t\r]"
_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class Result:
    """What a download needs to know of a job; it outlives the request's transaction."""

    organisation_id: UUID
    job_id: UUID
    columns: tuple[str, ...]
    signature: Signature

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
    return Result(job.organisation_id, job.pk, tuple(job.columns), signature)


def preview(result: Result, rows: int) -> pl.DataFrame:
    """The first rows of the result; no columns where nothing was scored yet."""
    first = next(frames(result), None)
    return pl.DataFrame() if first is None else first.head(rows)


def frames(result: Result) -> Iterator[pl.DataFrame]:
    """The result's rows in the order of the file, an object's at a time. Enters the scope."""
    with scope(result.organisation_id):
        chunks = list(
            Chunk.objects.filter(job_id=result.job_id, row_from__gte=0)
            .order_by("object_from", "row_from")
            .distinct("object_from")
        )
    for chunk in chunks:
        with scope(result.organisation_id):
            answers = _answers(result, chunk)
        if answers.height:
            yield _joined(result, chunk, answers)


def _answers(result: Result, chunk: Chunk) -> pl.DataFrame:
    """What the predictions database has for the rows of the chunk's object."""
    last = (
        Chunk.objects.filter(job_id=result.job_id, object_from=chunk.object_from)
        .order_by("-row_to")
        .values_list("row_to", flat=True)[0]
    )
    rows = (
        JobRow.objects.filter(job_id=result.job_id, row__gte=chunk.object_from, row__lt=last)
        .order_by("row")
        .values_list("row", "value", "label", "probability", "error")
    )
    schema = {"row": pl.Int64, "value": pl.Float64, "label": pl.String}
    schema |= {"probability": pl.Float64, "error": pl.String}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def _joined(result: Result, chunk: Chunk, answers: pl.DataFrame) -> pl.DataFrame:
    given = object_of(chunk)
    kept = given.select(pl.all().gather(answers["row"] - chunk.object_from))
    prediction = _labels(result, answers["label"]) if result.is_classification else answers["value"]
    ours = {"prediction": prediction, **{n: answers[n] for n in ("probability", "error")}}
    columns = [
        # JSON lines may have met a column only later in the file.
        (kept[str(i)] if str(i) in kept.columns else _nothing(kept.height)).alias(name)
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
    yield header.select(_harmless(pl.all())).write_csv(include_header=False).encode()
    for frame in frames(result):
        safe = frame.with_columns(_harmless(pl.col(pl.String)))
        yield safe.write_csv(include_header=False).encode()


def _harmless(texts: pl.Expr) -> pl.Expr:
    dangerous = texts.str.contains(_FORMULA) & ~texts.str.contains(_NUMBER)
    return pl.when(dangerous).then(pl.lit("'") + texts).otherwise(texts)


@contextmanager
def parquet_file(result: Result) -> Iterator[Path]:
    """The result as a Parquet file on this machine's disk, gone afterwards."""
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        source = frames(result)
        first = next(source, _empty(result))

        def batches(
            with_columns: list[str] | None, *_: object
        ) -> Iterator[pl.DataFrame]:  # the interface of polars' plugins; nothing is pushed down
            for frame in _chained(first, source):
                yield frame.select(with_columns) if with_columns else frame

        lazy = register_io_source(batches, schema=first.schema, is_pure=True)
        lazy.sink_parquet(file.name, compression="zstd")
        yield Path(file.name)


def _chained(first: pl.DataFrame, rest: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    yield first
    yield from rest


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
