"""``/widget/v1.js``: the element that shows the applicant's page on other sites."""

import hashlib
from functools import cache

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.utils.http import quote_etag
from django.views.decorators.http import condition, require_safe

_PATH = "berth/widget/v1.js"


@cache
def _source() -> bytes:
    found = finders.find(_PATH)
    if not isinstance(found, str):
        raise FileNotFoundError(_PATH)
    with open(found, "rb") as stream:
        return stream.read()


def _etag(request: HttpRequest) -> str:
    return quote_etag(hashlib.sha256(_source()).hexdigest()[:32])


@require_safe
@condition(etag_func=_etag)
def loader(request: HttpRequest) -> HttpResponse:
    """The module, for any site: modules are fetched with CORS, and nothing in it is secret."""
    return HttpResponse(
        _source(),
        content_type="text/javascript; charset=utf-8",
        headers={
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
        },
    )
