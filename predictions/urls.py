"""The addresses for using a model, as people see them."""

from django.urls import path

from predictions.views import choosing, deploying, trying

urlpatterns = [
    path("models/<slug:slug>/try", trying.try_it, name="try"),
    path("models/<slug:slug>/deploy", deploying.deploy, name="deploy"),
    path("models/<slug:slug>/architectures", choosing.choose, name="choose"),
    path(
        "models/<slug:slug>/deployments/<slug:architecture>",
        deploying.deployment,
        name="deployment",
    ),
]
