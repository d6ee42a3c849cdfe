"""Two lanes to the views: the short one for programs, the whole one for people.

What a page needs around it (a session, CSRF tokens, messages, a Content-Security-Policy, static
files) an API with keys never uses, and on a live prediction it would cost as much as the
prediction does.
"""

from collections.abc import Callable

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
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
        lane = self.api if request.path_info.startswith(API) else self.pages
        return lane(request)


def _answering(step: View) -> View:
    """As Django wraps each step: what it raises becomes a response."""
    return convert_exception_to_response(step)  # type: ignore[return-value]  # sync in, sync out


def _view(request: HttpRequest) -> HttpResponseBase:
    """The lane's end: what Django does between the middleware and the view."""
    request.resolver_match = match = resolve(request.path_info)
    response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return response.render() if isinstance(response, SimpleTemplateResponse) else response
