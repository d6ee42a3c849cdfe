"""The part of ``/api/v1`` about webhooks."""

from django.urls import path

from workers.webhooks import api

ONE = "webhooks/<uuid:endpoint_id>"

urlpatterns = [
    path("webhooks", api.WebhooksView.as_view(), name="api-webhooks"),
    path(ONE, api.WebhookView.as_view(), name="api-webhook"),
    path(f"{ONE}/rotate", api.RotateView.as_view(), name="api-webhook-rotate"),
    path(f"{ONE}/enable", api.EnableView.as_view(), name="api-webhook-enable"),
    path(f"{ONE}/disable", api.DisableView.as_view(), name="api-webhook-disable"),
    path(f"{ONE}/test", api.TestView.as_view(), name="api-webhook-test"),
    path(f"{ONE}/deliveries", api.DeliveriesView.as_view(), name="api-deliveries"),
    path(
        f"{ONE}/deliveries/<uuid:delivery_id>/resend",
        api.ResendView.as_view(),
        name="api-delivery-resend",
    ),
]
