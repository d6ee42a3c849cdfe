"""The four architectures of deployment: one file each, one explicit dict."""

from typing import Any

from django.db import transaction

from models_hub.doors import deployments_of, get_model_for
from models_hub.events import write_event
from models_hub.models import Deployment, HostedModel, ModelEvent
from portal.access import Caller, Permission, record
from portal.errors import Conflict, NotFound
from predictions.architectures.base import Architecture, Status
from predictions.architectures.dedicated import Dedicated
from predictions.architectures.embedded import Embedded
from predictions.architectures.offline import Offline
from predictions.architectures.published import Published

ARCHITECTURES: dict[str, Architecture] = {
    "embedded": Embedded(),
    "dedicated": Dedicated(),
    "published": Published(),
    "offline": Offline(),
}


def set_active(caller: Caller, slug: str, name: str, active: bool) -> dict[str, Any]:
    """Activate or retire a model in an architecture; saying it twice changes nothing.

    Raises NotFound for an unknown model or architecture, Conflict when the live version
    can't run there.
    """
    caller.require(Permission.PUBLISH)
    architecture = ARCHITECTURES.get(name)
    if architecture is None:
        raise NotFound("architecture")
    with transaction.atomic():
        model = get_model_for(caller, slug, lock=True)
        deployment = deployments_of(model)[name]
        if active and (why_not := architecture.why_not(deployment)):
            raise Conflict(f"{architecture.title}: {why_not}", code="architecture_unavailable")
        if deployment.is_active != active:
            _change(caller, model, deployment, architecture, active)
    return deployment_json(deployment)


def _change(
    caller: Caller,
    model: HostedModel,
    deployment: Deployment,
    architecture: Architecture,
    active: bool,
) -> None:
    deployment.is_active = active
    deployment.save()
    if active:
        architecture.activate(deployment)
    else:
        architecture.retire(deployment)
    type_ = ModelEvent.Type.ACTIVATED if active else ModelEvent.Type.RETIRED
    write_event(caller, model, type_, architecture.name)
    record(caller, f"deployment.{type_.value}", model, architecture=architecture.name)


def deployment_json(deployment: Deployment) -> dict[str, Any]:
    """The API's Deployment."""
    architecture = ARCHITECTURES[deployment.architecture]
    status = architecture.status(deployment)
    return {
        "architecture": deployment.architecture,
        "is_active": deployment.is_active,
        "available": not architecture.why_not(deployment),
        "in_browser": deployment.in_browser,
        "status": status.sentence,
    }


__all__ = ["ARCHITECTURES", "Architecture", "Status", "deployment_json", "set_active"]
