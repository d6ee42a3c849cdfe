"""Acme's careers page: how a widget looks on somebody's own site. Served where the demo is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from demo.finding import find
from portal.errors import NotFound
from portal.middleware import outside_organisations
from portal.tenancy import scope
from predictions.models import Widget


@outside_organisations
def careers(request: HttpRequest) -> HttpResponse:
    """The page with the demo's first widget. Raises NotFound where there is no demo."""
    membership = find()
    if membership is None:
        raise NotFound("page")
    with scope(membership.organisation_id):
        widget = Widget.objects.filter(key__revoked=None).first()
    if widget is None:
        raise NotFound("page")
    return render(request, "demo/careers.html", {"key": widget.key_id})
