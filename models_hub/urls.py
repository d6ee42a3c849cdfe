"""The addresses of models and versions, as people see them."""

from django.urls import path

from models_hub.views import models, report, signature, upload

urlpatterns = [
    path("models", models.models, name="models"),
    path("models/new", models.model_new, name="model-new"),
    path("models/<slug:slug>", models.model, name="model"),
    path("models/<slug:slug>/rollback", report.rollback, name="rollback"),
    path("models/<slug:slug>/withdraw", report.withdraw, name="withdraw"),
    path("models/<slug:slug>/upload", upload.upload, name="upload"),
    path("models/<slug:slug>/versions", report.versions, name="versions"),
    path("models/<slug:slug>/versions/<int:number>", report.version, name="version"),
    path("models/<slug:slug>/versions/<int:number>/stages", report.stages, name="stages"),
    path("models/<slug:slug>/versions/<int:number>/delete", report.delete, name="version-delete"),
    path("models/<slug:slug>/versions/<int:number>/promote", report.promote, name="promote"),
    path(
        "models/<slug:slug>/versions/<int:number>/signature", signature.signature, name="signature"
    ),
]
