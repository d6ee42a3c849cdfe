"""``/api/v1``: the addresses that outsiders rely on. No trailing slashes."""

from django.urls import include, path, re_path

from models_hub import api as models
from models_hub import feed_api as feed
from portal.error_pages import not_found
from portal.views import api_docs
from predictions import api as predictions
from predictions import feed_api as returns

MODEL = "models/<slug:slug>"

urlpatterns = [
    # First, since addresses are tried in order and this is the one that has to be quick.
    path(f"{MODEL}/predict", predictions.PredictView.as_view(), name="api-predict"),
    path("models", models.ModelsView.as_view(), name="api-models"),
    path(MODEL, models.ModelView.as_view(), name="api-model"),
    path(f"{MODEL}/versions", models.VersionsView.as_view(), name="api-versions"),
    path(f"{MODEL}/versions/<int:number>", models.VersionView.as_view(), name="api-version"),
    path(
        f"{MODEL}/versions/<int:number>/signature",
        models.SignatureView.as_view(),
        name="api-signature",
    ),
    path(
        f"{MODEL}/versions/<int:number>/promote",
        models.PromoteView.as_view(),
        name="api-promote",
    ),
    path(f"{MODEL}/rollback", models.RollbackView.as_view(), name="api-rollback"),
    path(f"{MODEL}/withdraw", models.WithdrawView.as_view(), name="api-withdraw"),
    path(
        f"{MODEL}/deployments/<slug:architecture>",
        predictions.DeploymentView.as_view(),
        name="api-deployment",
    ),
    path(
        "predictions/<uuid:prediction_id>",
        predictions.PredictionView.as_view(),
        name="api-prediction",
    ),
    path("feed", feed.FeedView.as_view(), name="api-feed"),
    path("feed/reports", returns.FeedReportsView.as_view(), name="api-feed-reports"),
    path("bundles/<slug:sha256>", feed.BundleView.as_view(), name="api-bundle"),
    path("server/models", feed.ServerModelsView.as_view(), name="api-server-models"),
    path("server/keys", feed.ServerKeysView.as_view(), name="api-server-keys"),
    path("server/public-key", feed.PublicKeyView.as_view(), name="api-server-public-key"),
    path("server/reports", returns.ServerReportsView.as_view(), name="api-server-reports"),
    path(
        "server/predictions",
        returns.ServerPredictionsView.as_view(),
        name="api-server-predictions",
    ),
    path("", include("workers.api_urls")),
    path("openapi.json", api_docs.openapi, name="openapi"),
    re_path(r"^.*$", not_found),
]
