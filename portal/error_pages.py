"""Refusals as pages for people and, below ``/api/``, as problems for programs."""

import sys

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from portal import errors
from portal.errors import BerthError
from portal.tenancy import DATABASE_AWAY

log = structlog.get_logger()


def problem_json(request: HttpRequest, error: BerthError) -> JsonResponse:
    """RFC 9457: ``application/problem+json``."""
    body = error.problem(instance=request.path, request_id=str(getattr(request, "request_id", "")))
    return JsonResponse(
        body,
        status=error.status,
        headers=error.headers,
        content_type="application/problem+json",
    )


def error_page(request: HttpRequest, error: BerthError) -> HttpResponse:
    """The error in the shape its reader expects."""
    if f"{request.path}/".startswith(("/api/", "/health/")):
        return problem_json(request, error)
    return render(
        request,
        "error.html",
        {"error": error, "request_id": getattr(request, "request_id", "")},
        status=error.status,
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, errors.BadRequest("This request can't be taken as it is."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, errors.Forbidden())


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, errors.NotFound("page"))


def server_error(request: HttpRequest) -> HttpResponse:
    """What nobody foresaw; Django has logged it, and handles it while we are called."""
    if isinstance(sys.exc_info()[1], DATABASE_AWAY):
        return error_page(request, errors.Unavailable("The database can't be reached just now."))
    return error_page(request, errors.BerthError("The fault is logged under the request's id."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_page(
        request,
        errors.Forbidden(
            "The form was open for too long or came from another site. Go back, reload, try again."
        ),
    )
