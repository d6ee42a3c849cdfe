"""A job's result on its way out, by API and by page."""

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from workers import results
from workers.models import Job


def download(job: Job, format_: str) -> StreamingHttpResponse:
    """A download, streamed after the request's own transaction is over."""
    result = results.result_of(job, format_)
    stem = job.filename.removesuffix(".gz").rpartition(".")[0] or "result"
    response = StreamingHttpResponse(
        results.PIECES[format_](result), content_type=results.FORMATS[format_]
    )
    filename = f"{stem}-predictions.{format_}"
    disposition = content_disposition_header(as_attachment=True, filename=filename)
    response.headers["Content-Disposition"] = disposition or "attachment"
    return response
