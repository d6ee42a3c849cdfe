"""The edge that every API view shares: keys in, problems out, JSON by orjson both ways.

The classes stand in for Django REST Framework's own where those would query, negotiate or
encode row by row: this path is what a live prediction costs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from berth.problems import Invalid as InvalidData
from portal import errors, tenancy
from portal.access import Caller
from portal.error_pages import problem_json
from portal.keys import KeyFacts, KeyRing, caller_of
from portal.middleware import client_address

log = structlog.get_logger()
RING = KeyRing(settings.KEY_TTL)


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str)


class JSONParser(BaseParser):
    """JSON only: NaN, Infinity and duplicate trailing data are refused by orjson."""

    media_type = "application/json"

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return orjson.loads(stream.read())
        except orjson.JSONDecodeError as error:
            raise errors.BadRequest(f"The body is not JSON: {error}.", code="bad_json") from error


class OneRenderer(BaseContentNegotiation):
    """No negotiation: a body is parsed by its content type, an answer is always JSON."""

    def select_parser(self, request: Request, parsers: Sequence[Any]) -> Any:
        wanted = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(self, request: Request, renderers: Sequence[Any], *args: Any) -> Any:
        return renderers[0], renderers[0].media_type


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer sk_…``; sets ``request.auth`` (KeyFacts) and the caller as user."""

    def authenticate(self, request: Request) -> tuple[Any, KeyFacts]:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise errors.Unauthenticated("Send your key as “Authorization: Bearer sk_…”.")
        facts = RING.find(text.strip())
        return caller_of(facts, client_address(request._request)), facts

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="berth"'


class ApiView(APIView):
    """Base of the API's views. The handler runs inside the organisation's scope.

    ``self.caller`` is who asks. A secret key is needed; a publishable one answers 403.
    """

    content_negotiation_class = OneRenderer
    caller: Caller
    in_scope = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.perform_authentication(request)
        facts: KeyFacts = request.auth
        if facts.kind != "secret":
            raise errors.Forbidden(
                "This is a publishable key: it opens its widget and nothing else. Use a secret key."
            )
        self.caller = request.user  # type: ignore[assignment]  # KeyAuthentication made it

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """DRF's dispatch, with the handler (and only it) in a transaction of the organisation."""
        self.args, self.kwargs = args, kwargs
        self.request = drf_request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.initial(drf_request, *args, **kwargs)
            handler = self._handler(drf_request)
            if self.in_scope:
                with tenancy.scope(self.caller.organisation_id):
                    response = handler(drf_request, *args, **kwargs)
            else:
                response = handler(drf_request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  # handle_exception re-raises what it can't map
            return self.handle_exception(error)
        if isinstance(response, Response):
            response.accepted_renderer = self.get_renderers()[0]
            response.accepted_media_type = "application/json"
            response.renderer_context = {}
        return response

    def _handler(self, request: Request) -> Callable[..., Any]:
        method = (request.method or "").lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        if handler is None or method == "options":
            raise exceptions.MethodNotAllowed(request.method or "")
        return handler  # type: ignore[no-any-return]  # looked up by name

    def handle_exception(self, exc: Exception) -> HttpResponse:
        return problem_response(exc, {"request": self.request})


class UploadView(ApiView):
    """For multipart bodies, which are read to their end before a transaction is open."""

    parser_classes = [MultiPartParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            request.data  # noqa: B018  # parses the body


def problem_response(exc: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Any exception of a view as RFC 9457. What we did not foresee is raised on, and logged."""
    request = context["request"]._request
    return problem_json(request, _as_berth_error(exc))


def _as_berth_error(exc: Exception) -> errors.BerthError:
    if isinstance(exc, errors.BerthError):
        return exc
    if isinstance(exc, exceptions.MethodNotAllowed):
        return errors.MethodNotAllowed(str(exc.detail))
    if isinstance(exc, exceptions.UnsupportedMediaType):
        return errors.UnsupportedMediaType(str(exc.detail))
    if isinstance(exc, exceptions.ParseError):
        return errors.BadRequest(str(exc.detail))
    if isinstance(exc, InvalidData):
        return errors.Invalid(exc.errors[0].detail, errors=exc.errors)
    if isinstance(exc, Http404):
        return errors.NotFound()
    raise exc
