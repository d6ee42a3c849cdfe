"""Parts of a file that never changes, as RFC 9110 (sections 13 and 14) has it: one range of
bytes, ``If-Range`` and ``If-None-Match`` by a strong tag. Several ranges are answered whole."""

import re
from collections.abc import Callable, Iterator, Mapping

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from portal.errors import RangeNotSatisfiable

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
FOREVER = "private, max-age=31536000, immutable"


def answer(
    asked: Mapping[str, str],
    method: str,
    size: int,
    tag: str,
    pieces: Callable[[int, int], Iterator[bytes]],
) -> HttpResponseBase:
    """The file or the part of it that the headers ask for (``asked``: WSGI's names).

    ``tag`` names the content; ``pieces(start, stop)`` reads it and is not called for HEAD.
    Raises RangeNotSatisfiable.
    """
    etag = f'"{tag}"'
    headers = {"ETag": etag, "Cache-Control": FOREVER, "Accept-Ranges": "bytes"}
    if etag in asked.get("HTTP_IF_NONE_MATCH", "").replace(" ", "").split(","):
        return HttpResponse(status=304, headers=headers)
    start, stop, status = _part(asked, size, etag, method)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    found: HttpResponseBase = StreamingHttpResponse(
        pieces(start, stop) if method == "GET" else iter(()),
        status=status,
        content_type="application/octet-stream",
        headers=headers,
    )
    return found


def _part(asked: Mapping[str, str], size: int, etag: str, method: str) -> tuple[int, int, int]:
    """Where the part starts and stops, and the answer's status."""
    found = _ONE.fullmatch(asked.get("HTTP_RANGE", "").strip())
    whole = (0, size, 200)
    if found is None or method != "GET" or asked.get("HTTP_IF_RANGE", etag).strip() != etag:
        return whole
    first, last = found.groups()
    if not first:
        if not last:
            return whole
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return whole
    if start >= stop:
        raise RangeNotSatisfiable(size)
    return start, stop, 206
