"""Addresses of widgets: the applicants' page and its loader, and the portal's pages about them."""

from django.urls import path

from predictions.widget import portal_views
from predictions.widget.device import model_file
from predictions.widget.loader import ENGINE, engine, loader
from predictions.widget.views import applicant

urlpatterns = [
    path("w/<str:key>", applicant, name="applicant"),
    path("w/<str:key>/bundle/<str:sha256>.berth", model_file, name="widget-file"),
    path(f"widget/{ENGINE}/<str:name>", engine, name="widget-engine"),
    path("widget/v1.js", loader, name="widget-loader"),
    path("widgets", portal_views.widgets, name="widgets"),
    path("widgets/new", portal_views.widget_new, name="widget-new"),
    path("widgets/<str:key>", portal_views.widget, name="widget"),
    path("widgets/<str:key>/close", portal_views.widget_close, name="widget-close"),
]
