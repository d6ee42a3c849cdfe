"""The doors to what was uploaded: one per kind of object, 404 for missing and for forbidden."""

from django.db.models import QuerySet

from models_hub.models import Deployment, HostedModel, Version
from portal.access import Caller, Permission
from portal.errors import NotFound


def models_for(caller: Caller) -> QuerySet[HostedModel]:
    """The organisation's models with their live versions."""
    caller.require(Permission.READ)
    return HostedModel.objects.select_related("live")


def get_model_for(caller: Caller, slug: str, *, lock: bool = False) -> HostedModel:
    """The model with this slug. ``lock`` holds its row until the transaction ends."""
    caller.require(Permission.READ)
    rows = HostedModel.objects.select_for_update() if lock else HostedModel.objects.all()
    model = rows.filter(slug=slug).first()
    if model is None:
        raise NotFound("model")
    return model


def get_version_for(caller: Caller, slug: str, number: int) -> Version:
    """Version ``number`` of the model, with the model."""
    caller.require(Permission.READ)
    version = Version.objects.select_related("model", "removal").filter(
        model__slug=slug, number=number
    )
    found = version.first()
    if found is None:
        raise NotFound("version")
    return found


def deployments_of(model: HostedModel) -> dict[str, Deployment]:
    """The model's deployments by architecture."""
    return {d.architecture: d for d in Deployment.objects.filter(model=model)}
