"""Pages for people who are signed in: who asks, and what stands in for those who may not.

``page`` goes on a view that is looked at (GET, and POST of a form to itself), ``deed`` on an
address that only acts (POST). Both hand the view a ``PageRequest``: the organisation's scope is
open around it (``portal.middleware.Tenant``), and ``request.caller`` is there.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django_htmx.http import HttpResponseClientRefresh

from portal.access import Caller
from portal.errors import BerthError, MethodNotAllowed
from portal.models import Organisation, User

P = ParamSpec("P")


class PageRequest(HttpRequest):
    """The request as a page's view gets it."""

    user: User
    caller: Caller
    organisations: list[Organisation]


PageView = Callable[Concatenate[PageRequest, P], HttpResponseBase]
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def page(view: PageView[P]) -> View[P]:
    """A view for signed-in members. The signed-out go to sign in and come back; people without
    an organisation are told how to get into one. Raises MethodNotAllowed beyond GET and POST."""
    return _guarded(view, ("GET", "HEAD", "POST"))


def deed(view: PageView[P]) -> View[P]:
    """A view that acts and then redirects; like ``page``, for POST only."""
    return _guarded(view, ("POST",))


def address(request: HttpRequest) -> str:
    """The portal's own address as its reader sees it, without a slash at the end."""
    return request.build_absolute_uri("/")[:-1]


def refuse(form: BaseForm, error: BerthError, *, instead: str | None = None) -> None:
    """Show a verb's refusal in the bound form: beside the fields its pointers name, and what
    points nowhere (or at no field) beside the field ``instead``, or above them all."""
    for problem in error.errors:
        name = problem.pointer.split("/")[-1]
        form.add_error(name if name in form.fields else instead, problem.detail)
    if not error.errors:
        form.add_error(instead, error.detail)


def _guarded(view: PageView[P], methods: tuple[str, ...]) -> View[P]:
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _sign_in(request)
        if getattr(request, "caller", None) is None:
            return render(request, "no_organisation.html", status=403)
        if request.method not in methods:
            raise MethodNotAllowed(f"{request.path} takes {' and '.join(methods)}.")
        return view(cast(PageRequest, request), *args, **kwargs)

    return guarded


def _sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page. A fragment makes its whole page reload, which then comes here itself;
    a deed is not repeated afterwards, so nobody is sent back to it."""
    if request.headers.get("HX-Request"):
        return HttpResponseClientRefresh()
    back = request.get_full_path() if request.method in ("GET", "HEAD") else resolve_url("home")
    return redirect_to_login(back)
