"""A job's result on its way out, by API and by page.

``workers.results`` is imported only when a result is asked for: polars takes some 37 MB and a
quarter of a second, and most web processes never hand one out.
"""

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from workers.models import Job


def download(job: Job, format_: str) -> StreamingHttpResponse:
    """A download, streamed after the request's own transaction is over."""
    from workers import results

    result = results.result_of(job, format_)
    stem = job.filename.removesuffix(".gz").rpartition(".")[0] or "result"
    response = StreamingHttpResponse(
        results.PIECES[format_](result), content_type=results.FORMATS[format_]
    )
    filename = f"{stem}-predictions.{format_}"
    disposition = content_disposition_header(as_attachment=True, filename=filename)
    response.headers["Content-Disposition"] = disposition or "attachment"
    return response
