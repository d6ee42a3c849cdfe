"""The rows of a job that could not be scored: to take home and mend, or to try once more."""

from collections.abc import Iterator, Sequence

import polars as pl
import polars.selectors as cs

from portal.tenancy import scope
from workers.keeping import require_kept_rows
from workers.models import Chunk, Job, JobRow
from workers.objects import object_of
from workers.reading import ERROR, Batch, Options, Reader, UnreadableFile
from workers.results import harmless, result_of

_DEFUSED = r"^'([=+\-@\t\r\n＝＋－＠])"


class FailedRows:
    """A Reader of the failed rows of the job that ``job`` is a retry of; offsets are that one's
    row numbers."""

    def __init__(self, job: Job) -> None:
        with scope(job.organisation_id):
            parent = Job.objects.filter(pk=job.retry_of or job.pk).exclude(pk=job.pk).first()
        if parent is None:
            raise UnreadableFile("job_gone", "The job that these rows are of was deleted.")
        self._parent = parent
        self.columns = list(parent.columns)
        self.options = Options.from_json(parent.reading)

    def batches(self, offset: int, first_row: int) -> Iterator[Batch]:
        """See Reader.batches."""
        for end, frame, _ in failed_rows(self._parent, offset):
            yield Batch(frame, end)


class MendedRows:
    """A Reader of a file that ``csv_pieces`` made and people mended: without the column of errors,
    and without the apostrophes that kept cells from being formulas."""

    def __init__(self, reader: Reader, parent: Job) -> None:
        self._reader = reader
        self.options = reader.options
        added = _error_name(parent.columns)
        self._kept = [i for i, name in enumerate(reader.columns) if name != added]
        names = [reader.columns[i] for i in self._kept]
        self.columns = [name[1:] if name[1:] in parent.columns else name for name in names]

    def batches(self, offset: int, first_row: int) -> Iterator[Batch]:
        """See Reader.batches."""
        cells = [pl.col(str(i)).alias(str(place)) for place, i in enumerate(self._kept)]
        for batch in self._reader.batches(offset, first_row):
            frame = batch.frame.select(*cells, ERROR)
            texts = (cs.string() - cs.by_name(ERROR)).as_expr()
            yield Batch(frame.with_columns(texts.str.replace(_DEFUSED, "$1")), batch.offset)


def failed_rows(job: Job, start: int = 0) -> Iterator[tuple[int, pl.DataFrame, list[str]]]:
    """The failed rows from row ``start`` on, a stored object's at a time: the row after the
    object's last one, the rows as they were read (a Batch's frame), and the error of each.

    Enters the scope. Raises Unavailable, and Conflict where the rows are not kept any more.
    """
    with scope(job.organisation_id):
        job.refresh_from_db(fields=["inputs_gone"])
        require_kept_rows(job)
        chunks = list(
            Chunk.objects.filter(job=job, rows_bad__gt=0, row_to__gt=start)
            .order_by("object_from", "row_from")
            .distinct("object_from")
        )
    for chunk in chunks:
        frame = object_of(chunk)
        first, end = chunk.object_from, chunk.object_from + frame.height
        with scope(job.organisation_id):
            bad = JobRow.objects.filter(shelf=job.shelf, job=job, error__isnull=False)
            bad = bad.filter(row__gte=max(start, first), row__lt=end).order_by("row")
            rows = list(bad.values_list("row", "error"))
        if rows:
            places = [row - first for row, _ in rows]
            yield end, frame.select(pl.all().gather(places)), [error or "" for _, error in rows]


def csv_pieces(job: Job) -> Iterator[bytes]:
    """The failed rows as CSV: the caller's own columns as they came, and ``error``. Safe to open
    in a spreadsheet, as a result is. Raises Conflict while the job is at work, and where its
    rows are not kept any more."""
    require_kept_rows(job)
    columns = result_of(job, "csv").columns
    return _pieces(job, [*columns, _error_name(columns)])


def _error_name(columns: Sequence[str]) -> str:
    name = "error"
    while name in columns:
        name += "_"
    return name


def _pieces(job: Job, names: list[str]) -> Iterator[bytes]:
    yield pl.DataFrame({str(i): [name] for i, name in enumerate(names)}).pipe(_csv)
    for _, frame, errors in failed_rows(job):
        nothing = pl.lit(None, pl.String)  # JSON lines may have met a column only later
        cells = [
            pl.col(str(i)) if str(i) in frame.columns else nothing.alias(str(i))
            for i in range(len(names) - 1)
        ]
        yield frame.select(cells).with_columns(pl.Series("error", errors)).pipe(_csv)


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.with_columns(harmless(pl.col(pl.String))).write_csv(include_header=False).encode()
