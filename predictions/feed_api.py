"""``/api/v1``: what followers of the feeds send back, reports and answered predictions."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from portal.access import Permission
from portal.api import ServerView
from portal.errors import Invalid, TooLarge
from predictions.receiving import receive
from predictions.subscribers import read_report, take_report

MOST_JOURNAL_BYTES = 128 * 1024**2


class ServerReportsView(ServerView):
    """``POST /server/reports``"""

    reads_body = True

    def post(self, request: Request) -> HttpResponse:
        take_report(self.server, read_report(request.data))
        return HttpResponse(status=204)


class FeedReportsView(ServerReportsView):
    """``POST /feed/reports``"""

    enough = frozenset({Permission.READ, Permission.SERVE})


class JournalParser(BaseParser):
    """A journal file as it is."""

    media_type = "application/x-berth-journal"

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        body: bytes = stream.read(MOST_JOURNAL_BYTES + 1)
        if len(body) > MOST_JOURNAL_BYTES:
            raise TooLarge(f"A journal has at most {MOST_JOURNAL_BYTES:,} bytes.")
        return body


class ServerPredictionsView(ServerView):
    """``POST /server/predictions``"""

    parser_classes = [JournalParser]
    reads_body = True

    def post(self, request: Request) -> HttpResponse:
        try:
            name = UUID(request.META.get("HTTP_X_JOURNAL_NAME", ""))
        except ValueError as error:
            raise Invalid("The header X-Journal-Name must be a UUID.", code="bad_name") from error
        body: Any = request.data  # an empty body never meets the parser
        receive(self.server, name, body or b"")
        return HttpResponse(status=204)
