"""A job's result on its way out, by API and by page.

``workers.results`` is imported only when a result is asked for: polars takes some 37 MB and a
quarter of a second, and most web processes never hand one out.
"""

from collections.abc import Iterator

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from workers.models import Job


def download(job: Job, format_: str) -> StreamingHttpResponse:
    """A download, streamed after the request's own transaction is over."""
    from workers import results

    result = results.result_of(job, format_)
    pieces = results.PIECES[format_](result)
    return _attachment(pieces, results.FORMATS[format_], f"{_stem(job)}-predictions.{format_}")


def error_rows(job: Job) -> StreamingHttpResponse:
    """The rows that could not be scored, to be mended and sent again. Raises Conflict while the
    job is at work."""
    from workers import failures, results

    kind = results.FORMATS["csv"]
    return _attachment(failures.csv_pieces(job), kind, f"{_stem(job)}-errors.csv")


def _stem(job: Job) -> str:
    return job.filename.removesuffix(".gz").rpartition(".")[0] or "result"


def _attachment(pieces: Iterator[bytes], kind: str, filename: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(pieces, content_type=kind)
    disposition = content_disposition_header(as_attachment=True, filename=filename)
    response.headers["Content-Disposition"] = disposition or "attachment"
    return response
