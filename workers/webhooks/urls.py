"""The addresses of webhooks, as people see them."""

from django.urls import path

from workers.webhooks import views

ONE = "webhooks/<uuid:endpoint_id>"

urlpatterns = [
    path("webhooks", views.webhooks, name="webhooks"),
    path("webhooks/new", views.webhook_new, name="webhook-new"),
    path(ONE, views.webhook, name="webhook"),
    path(f"{ONE}/edit", views.webhook_edit, name="webhook-edit"),
    path(f"{ONE}/rotate", views.webhook_rotate, name="webhook-rotate"),
    path(f"{ONE}/enable", views.webhook_enable, name="webhook-enable"),
    path(f"{ONE}/disable", views.webhook_disable, name="webhook-disable"),
    path(f"{ONE}/test", views.webhook_test, name="webhook-test"),
    path(f"{ONE}/delete", views.webhook_delete, name="webhook-delete"),
    path(
        f"{ONE}/deliveries/<uuid:delivery_id>/resend",
        views.delivery_resend,
        name="delivery-resend",
    ),
]
