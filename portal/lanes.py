"""Two lanes to the views: the short one for programs, the whole one for people.

What a page needs around it (a session, CSRF tokens, messages, a Content-Security-Policy, static
files) an API with keys never uses, and on a live prediction it would cost as much as the
prediction does.
"""

from collections.abc import Callable

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import resolve
from django.utils.module_loading import import_string

API = "/api/v1/"
View = Callable[[HttpRequest], HttpResponseBase]


class ApiLane:
    """The outermost middleware: what asks the API goes through ``API_MIDDLEWARE`` to its view and
    meets nothing else of ``MIDDLEWARE``. A middleware's ``process_view`` is not called there."""

    def __init__(self, get_response: View) -> None:
        self.pages = get_response
        self.api = _answering(_view)
        for path in reversed(settings.API_MIDDLEWARE):
            self.api = _answering(import_string(path)(self.api))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(API):
            return self.api(request)
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
        return self.pages(request)


def check_connections_when_used() -> None:
    """Django looks after its database connections around every request, for a live prediction at
    a tenth of its cost and for nothing. Called once in a web process, this leaves it to those who
    use a connection: the pages' lane, and ``tenancy`` where a scope opens."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)


def _answering(step: View) -> View:
    """As Django wraps each step: what it raises becomes a response."""
    return convert_exception_to_response(step)  # type: ignore[return-value]  # sync in, sync out


def _view(request: HttpRequest) -> HttpResponseBase:
    """The lane's end: what Django does between the middleware and the view."""
    request.resolver_match = match = resolve(request.path_info)
    response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return response.render() if isinstance(response, SimpleTemplateResponse) else response
