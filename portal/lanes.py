"""Two lanes to the views: the short one for programs, the whole one for people.

What a page needs around it (a session, CSRF tokens, messages, a Content-Security-Policy, static
files) an API with keys never uses, and on a live prediction it would cost as much as the
prediction does.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import uuid_utils
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.template.response import SimpleTemplateResponse
from django.urls import resolve

from portal import bodies, permits
from portal.error_pages import error_page
from portal.errors import Unavailable

API = "/api/v1/"
View = Callable[[HttpRequest], HttpResponseBase]


class Application(WSGIHandler):
    """A web process's WSGI application: Django's, but that the API's calls meet neither
    ``MIDDLEWARE`` nor the signals around a request. Create one once Django is set up."""

    def __init__(self) -> None:
        super().__init__()
        self._api = api_lane()
        # Django looks after its database connections around every request, for a live prediction
        # at a tenth of its cost and for nothing. This leaves it to those who use a connection: the
        # pages' lane, and `tenancy` where a scope opens.
        request_started.disconnect(close_old_connections)
        request_finished.disconnect(close_old_connections)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Bytes in pieces, as WSGI has it. The work is done with a permit; see ``permits``."""
        bodies.receive(environ)
        permits.take()
        try:
            response = self._answered(environ, start_response)
        finally:
            permits.give_back()
        if isinstance(response, StreamingHttpResponse):
            return bodies.Stream(response)
        return response

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """The pages' answer."""
        return _admitted(request, super().get_response(request))

    def _answered(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get("PATH_INFO", "").startswith(API):
            return super().__call__(environ, start_response)
        request = WSGIRequest(environ)
        response = _admitted(request, self._api(request))
        request.close()  # the files that came with it
        pieces: Any = response
        if isinstance(response, HttpResponse):
            response.headers["Content-Length"] = str(len(response.content))
            pieces = [response.content]  # a list is sent as a whole
        start_response(f"{response.status_code} {response.reason_phrase}", [*response.items()])
        return pieces


def _admitted(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The response, or a refusal where too many are on their way already."""
    if bodies.admit(response):
        return response
    response.close()
    detail = "Too many downloads are on their way: try again soon."
    return error_page(request, Unavailable(detail))


class ApiLane:
    """The outermost middleware: the API's lane for who calls by another handler (Django's test
    client), and the whole lane's care for its database connections."""

    def __init__(self, get_response: View) -> None:
        self.pages = get_response
        self.api = api_lane()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(API):
            return self.api(request)
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
        return self.pages(request)


def api_lane() -> View:
    """All that is around an API's view: an id for the request, a host that is ours, an answer
    whatever happens, and the headers that every answer bears."""
    answer: View = convert_exception_to_response(_view)  # type: ignore[assignment]  # sync in and out
    security = SecurityMiddleware(answer)

    def lane(request: HttpRequest) -> HttpResponseBase:
        request.request_id = str(uuid_utils.uuid7())  # type: ignore[attr-defined]  # ours
        response: HttpResponseBase = security.process_response(request, answer(request))  # type: ignore[arg-type]  # streams too
        response.headers["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]  # ours
        return response

    return lane


def _view(request: HttpRequest) -> HttpResponseBase:
    """The lane's end: what Django does between the middleware and the view."""
    if not _is_ours(request.META.get("HTTP_HOST", "")):
        request.get_host()  # raises, and says why
    request.resolver_match = match = _resolved(request.path_info)
    response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return response.render() if isinstance(response, SimpleTemplateResponse) else response


@lru_cache(maxsize=256)
def _is_ours(host: str) -> bool:
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


#: A program asks for few addresses, each of them often.
_resolved = lru_cache(maxsize=1024)(resolve)
