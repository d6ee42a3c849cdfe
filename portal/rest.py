"""How the API reads and writes: keys in, problems out, JSON by orjson both ways.

The classes stand in for Django REST Framework's own where those would query, negotiate or
encode row by row: this path is what a live prediction costs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from berth.problems import Invalid as InvalidData
from portal import errors, names
from portal.access import Caller
from portal.error_pages import problem_json
from portal.keys import RING, KeyFacts, caller_of
from portal.middleware import client_address


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str)


class JSONParser(BaseParser):
    """JSON as RFC 8259 has it: NaN, Infinity, a name given twice and text behind the value are
    refused."""

    media_type = "application/json"

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        body = whole(stream)
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise not_json(error) from error
        names.check_unique(body, value)
        return value


def whole(stream: Any) -> bytes:
    """The body to its end. Raises TooLarge beyond DATA_UPLOAD_MAX_MEMORY_SIZE."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body: bytes = stream.read(most + 1)
    if len(body) > most:
        raise errors.TooLarge(f"A JSON body has at most {most:,} bytes.")
    return body


def not_json(error: ValueError) -> errors.BadRequest:
    """The refusal of a body that no JSON parser takes."""
    return errors.BadRequest(f"The body is not JSON: {error}.", code="bad_json")


class OneRenderer(BaseContentNegotiation):
    """No negotiation: a body is parsed by its content type, an answer is always JSON."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        wanted = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(self, request: Request, renderers: Iterable[Any], *args: Any) -> Any:
        return next((renderer, renderer.media_type) for renderer in renderers)


def bearer_of(request: Request) -> str:
    """The key in the header ``Authorization``. Raises Unauthenticated where there is none."""
    scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise errors.Unauthenticated("Send your key as “Authorization: Bearer sk_…”.")
    return str(text.strip())


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer sk_…``; sets ``request.auth`` (KeyFacts) and the caller as user."""

    def authenticate(self, request: Request) -> tuple[Caller, KeyFacts]:
        facts = RING.find(bearer_of(request))
        return caller_of(facts, client_address(request._request)), facts

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="berth"'


def rendered(response: HttpResponse) -> HttpResponse:
    """The response with its content made, whether it is DRF's or plain."""
    if isinstance(response, Response) and not response.is_rendered:
        response.accepted_renderer = JSONRenderer()
        response.accepted_media_type = JSONRenderer.media_type
        response.renderer_context = {}  # type: ignore[attr-defined]  # the stubs lack it
        response.render()
    return response


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
    if isinstance(exc, RequestDataTooBig):
        return errors.TooLarge("The form's fields are larger than what is taken here.")
    if isinstance(exc, UnreadablePostError):  # no fault of the body's: the whole will be taken
        return errors.Unavailable("The body broke off on its way; send it again.")
    if isinstance(exc, InvalidData):
        return errors.Invalid(exc.errors[0].detail, errors=exc.errors)
    if isinstance(exc, Http404):
        return errors.NotFound()
    raise exc
