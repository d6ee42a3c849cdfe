"""``/api/v1``: what followers of the feeds send back, reports and answered predictions."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from berth.journal import MOST_SHIPPED
from portal.access import Permission
from portal.api import ServerView
from portal.bodies import READ_AHEAD
from portal.errors import Invalid, TooLarge, Unavailable
from predictions.limits import Bucket, Limiter
from predictions.models import Subscriber
from predictions.receiving import receive
from predictions.subscribers import read_report, take_report

#: Bodies larger than READ_AHEAD that are in memory at a time.
_large = threading.BoundedSemaphore(4)
LIMITER = Limiter(settings.ENV.redis_url)
JOURNALS_PER_MINUTE = 1200


class ServerReportsView(ServerView):
    """``POST /server/reports``"""

    reads_body = True

    def post(self, request: Request) -> HttpResponse:
        report = read_report(request.data)
        if report.kind == Subscriber.Kind.SERVER:
            self.require_server()
        take_report(self.server, report)
        return HttpResponse(status=204)


class FeedReportsView(ServerReportsView):
    """``POST /feed/reports``"""

    enough = frozenset({Permission.READ, Permission.SERVE})


class JournalParser(BaseParser):
    """A journal file as it is."""

    media_type = "application/x-berth-journal"

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        body: bytes = stream.read(MOST_SHIPPED + 1)
        if len(body) > MOST_SHIPPED:
            raise TooLarge(f"A journal has at most {MOST_SHIPPED:,} bytes.")
        return body


class ServerPredictionsView(ServerView):
    """``POST /server/predictions``"""

    parser_classes = [JournalParser]

    def post(self, request: Request) -> HttpResponse:
        try:
            name = UUID(request.META.get("HTTP_X_JOURNAL_NAME", ""))
        except ValueError as error:
            raise Invalid("The header X-Journal-Name must be a UUID.", code="bad_name") from error
        LIMITER.take([Bucket(f"journals {self.server.id}", JOURNALS_PER_MINUTE)])
        with _room(int(request.META.get("CONTENT_LENGTH") or 0)):
            body: Any = request.data  # an empty body never meets the parser
            receive(self.server, name, body or b"")
        return HttpResponse(status=204)


@contextmanager
def _room(size: int) -> Iterator[None]:
    """Memory for a body. Raises TooLarge, and Unavailable while too many others are large."""
    if size > MOST_SHIPPED:
        raise TooLarge(f"A journal has at most {MOST_SHIPPED:,} bytes.")
    if size <= READ_AHEAD:
        yield
        return
    if not _large.acquire(blocking=False):
        raise Unavailable("Other journals are being received: send this one again soon.")
    try:
        yield
    finally:
        _large.release()
