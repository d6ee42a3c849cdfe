"""The API's description for programs and people, open to anybody: it shows nothing of anyone."""

import functools

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from portal import errors
from portal.error_pages import error_page
from portal.openapi import PROBLEMS, TITLES, document


def openapi(request: HttpRequest) -> HttpResponse:
    """``GET /api/v1/openapi.json``"""
    if refusal := _not_safe(request):
        return refusal
    return HttpResponse(_openapi_json(), content_type="application/json")


@functools.cache
def _openapi_json() -> bytes:
    return orjson.dumps(document())


def docs(request: HttpRequest) -> HttpResponse:
    """``GET /api/docs``: Swagger UI, with a key to try each call."""
    return _not_safe(request) or render(
        request, "portal/api_docs.html", {"description": reverse("openapi")}
    )


def problems(request: HttpRequest) -> HttpResponse:
    """``GET /api/problems``: every type of problem."""
    return _not_safe(request) or _page(request, list(PROBLEMS))


def problem(request: HttpRequest, code: str) -> HttpResponse:
    """``GET /api/problems/{code}``: what one type means."""
    if code not in PROBLEMS:
        return error_page(request, errors.NotFound("type of problem"))
    return _not_safe(request) or _page(request, [code])


def _page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    explained = [
        {"code": code, "title": TITLES[PROBLEMS[code].status], "about": PROBLEMS[code]}
        for code in codes
    ]
    return render(request, "portal/problems.html", {"explained": explained})


def _not_safe(request: HttpRequest) -> HttpResponse | None:
    if request.method in ("GET", "HEAD"):
        return None
    refusal = errors.MethodNotAllowed(
        f"{request.method} is not taken here.", headers={"Allow": "GET, HEAD"}
    )
    return error_page(request, refusal)
