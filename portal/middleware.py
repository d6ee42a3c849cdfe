"""What happens around each request: an id for it, and the organisation it belongs to."""

from collections.abc import Callable
from typing import Any, TypeVar

import uuid_utils
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from portal import tenancy
from portal.access import ROLE_PERMISSIONS, Caller
from portal.error_pages import error_page
from portal.errors import BerthError
from portal.models import Membership, User

SESSION_KEY = "organisation"
_KNOWN_BY_KEY = ("/static/", "/api/", "/health/", "/w/", "/widget/")

View = Callable[..., HttpResponseBase]
V = TypeVar("V", bound=View)


def outside_organisations(view: V) -> V:
    """For a view that enters scopes itself: it may concern an organisation not chosen yet."""
    view.outside_organisations = True  # type: ignore[attr-defined]  # a mark for Tenant
    return view


class RequestId:
    """Gives each request an id, says it in ``X-Request-Id`` and in every problem."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = str(uuid_utils.uuid7())  # type: ignore[attr-defined]  # ours
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]  # ours
        return response


class Tenant:
    """Finds a signed-in person's organisation and enters its scope around the view.

    Sets ``request.caller`` (None for the signed-out and for people without an organisation) and
    ``request.organisations``. Paths that know their organisation by a key are left alone.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.caller = None  # type: ignore[attr-defined]  # ours
        request.organisations = []  # type: ignore[attr-defined]  # ours
        if not request.path.startswith(_KNOWN_BY_KEY) and request.user.is_authenticated:
            _recognise(request, request.user)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Run the view inside the scope; a refusal undoes its writes and becomes a page."""
        caller: Caller | None = request.caller  # type: ignore[attr-defined]  # ours
        if request.path.startswith(_KNOWN_BY_KEY):
            return None
        try:
            if caller is None or getattr(view, "outside_organisations", False):
                return view(request, *args, **kwargs)
            with tenancy.scope(caller.organisation_id):
                return view(request, *args, **kwargs)
        except BerthError as error:
            return error_page(request, error)


def _recognise(request: HttpRequest, user: User) -> None:
    memberships = memberships_of(user)
    request.organisations = [m.organisation for m in memberships]  # type: ignore[attr-defined]
    chosen = request.session.get(SESSION_KEY)
    for membership in sorted(memberships, key=lambda m: str(m.organisation_id) != chosen)[:1]:
        request.caller = Caller(  # type: ignore[attr-defined]  # ours
            organisation_id=membership.organisation_id,
            actor=user.email,
            permissions=ROLE_PERMISSIONS[membership.role],
            address=client_address(request),
            organisation=membership.organisation,
            user=user,
            role=membership.role,
        )


def memberships_of(user: User) -> list[Membership]:
    """The person's memberships with their organisations, by the organisation's name."""
    with tenancy.bearer(user.pk):
        return list(
            Membership.gate.filter(user=user)
            .select_related("organisation")
            .order_by("organisation__name")
        )


def client_address(request: HttpRequest) -> str:
    """The caller's address: the peer's, or what the outermost of our own proxies saw.

    Each proxy adds the address of its peer at the end of ``X-Forwarded-For``; what stands before
    those of ours, anybody may have written.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not settings.ENV.proxies:
        return peer
    seen = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    return seen[-settings.ENV.proxies] if len(seen) >= settings.ENV.proxies else peer


def portal_context(request: HttpRequest) -> dict[str, Any]:
    """Template context of every page."""
    return {
        "caller": getattr(request, "caller", None),
        "organisations": getattr(request, "organisations", []),
    }
