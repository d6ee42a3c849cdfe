"""Every address of the portal."""

from collections.abc import Callable

from django.urls import include, path

from models_hub import standing, storage
from portal import health
from portal.error_pages import bad_request, forbidden, not_found, server_error
from portal.views import api_docs
from workers import relayed
from workers.heartbeat import workers_missing

CHECKS: dict[str, health.Check] = {
    "database": health.database,
    "migrations": health.migrations,
    "valkey": health.broker,
    "storage": lambda: "" if storage.is_reachable() else "The storage does not answer.",
    "worker": workers_missing,
}

FACTS: dict[str, Callable[[], object]] = {"sandbox": standing.told, "kafka": relayed.told}

urlpatterns = [
    path("api/v1/", include("portal.api_urls")),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready_view(CHECKS, FACTS), name="health-ready"),
    path("api/docs", api_docs.docs, name="docs"),
    path("api/problems", api_docs.problems, name="problems"),
    path("api/problems/<slug:code>", api_docs.problem, name="problem"),
    path("accounts/", include("allauth.account.urls")),
    path("", include("portal.page_urls")),
    path("", include("models_hub.urls")),
    path("", include("predictions.urls")),
    path("", include("predictions.widget.urls")),
    path("", include("workers.urls")),
    path("", include("demo.urls")),
]

handler400, handler403, handler404, handler500 = bad_request, forbidden, not_found, server_error
