"""The base of the API's views: who asks, whose scope, what goes wrong."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.views import APIView

from portal import errors, tenancy
from portal.access import Caller, Permission
from portal.keys import KeyFacts
from portal.rest import KeyAuthentication, OneRenderer, bearer_of, problem_response, rendered
from portal.servers import Server, server_of_key, server_of_token


def facts_of(request: Request) -> KeyFacts:
    """What is known of the key that came with an authenticated request."""
    facts = request.auth
    assert isinstance(facts, KeyFacts)
    return facts


class ApiView(APIView):
    """Base of the API's views. The handler runs inside the organisation's scope.

    ``self.caller`` is who asks. A secret key is needed; a publishable one answers 403. A view
    that ``reads_body`` has it read to its end before a transaction is open, so that a slow
    sender holds none; before that, ``admit`` may refuse.
    """

    content_negotiation_class = OneRenderer
    caller: Caller
    in_scope = True
    reads_body = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Every view needs its caller: DRF's lazy look for one would cost what the look itself does.
        self.caller, facts = KeyAuthentication().authenticate(request)
        request.user, request.auth = self.caller, facts  # type: ignore[assignment]  # no User
        if facts.kind != "secret":
            raise errors.Forbidden(
                "This is a publishable key: it opens its widget and nothing else. Use a secret key."
            )

    def admit(self, *args: Any, **kwargs: Any) -> None:
        """Refuse what can be refused before the body is read. Enters the scope if it needs it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """DRF's dispatch, with the handler (and only it) in a transaction of the organisation."""
        self.args, self.kwargs = args, kwargs
        self.request = drf_request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.initial(drf_request, *args, **kwargs)
            handler = self._handler(drf_request)
            self._read_body(drf_request)
            if self.in_scope:
                with tenancy.scope(self.caller.organisation_id):
                    response = handler(drf_request, *args, **kwargs)
            else:
                response = handler(drf_request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  # handle_exception re-raises what it can't map
            return self.handle_exception(error)
        finally:
            # DRF's request holds itself by this; its rows would wait for the garbage collector.
            drf_request.parser_context.clear()
        return rendered(response)

    def _read_body(self, request: Request) -> None:
        if self.reads_body and request.method in ("POST", "PUT"):
            self.admit(*self.args, **self.kwargs)
            request.data  # noqa: B018  # parses the body

    def _handler(self, request: Request) -> Callable[..., Any]:
        method = (request.method or "").lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        if handler is None or method == "options":
            taken = {name.upper() for name in self.http_method_names if hasattr(self, name)}
            raise errors.MethodNotAllowed(
                f"{request.method} is not taken here.",
                headers={"Allow": ", ".join(sorted(taken - {"OPTIONS"}))},
            )
        return handler  # type: ignore[no-any-return]  # looked up by name

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # plain
        return problem_response(exc, {"request": self.request})


class ServerView(ApiView):
    """For model servers: ``self.server`` is a token ``st_…``, or a secret key that has the scope
    ``serve`` (or ``enough``). The handler runs in no scope; ``self.server.reach()`` opens one."""

    in_scope = False
    enough: ClassVar[frozenset[Permission]] = frozenset({Permission.SERVE})
    server: Server

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        text = bearer_of(request)
        if text.startswith("st_"):
            self.server = server_of_token(text)
            return
        super().initial(request, *args, **kwargs)
        if not self.enough & self.caller.permissions:
            self.caller.require(min(self.enough))
        self.server = server_of_key(self.caller)

    def require_server(self) -> None:
        """Raises Forbidden for a key that was ``enough`` and is no server's."""
        if self.server.organisation_id is not None:
            self.caller.require(Permission.SERVE)


class UploadView(ApiView):
    """For multipart bodies."""

    parser_classes = [MultiPartParser]
    reads_body = True
