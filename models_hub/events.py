"""The model feed: each deed's line, with the model's whole standing after it, signed."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import Max

from berth.bundle import NATIVE
from berth.feed import manifest
from models_hub import sealing
from models_hub.models import Architecture, Deployment, HostedModel, ModelEvent, Version
from portal import tenancy
from portal.access import Caller, system
from portal.feeds import Feed, next_position
from portal.models import Organisation
from portal.tenancy import current

#: Where a version without a graph can't run: only this portal's sandbox runs it.
GRAPHS_ONLY = frozenset({Architecture.DEDICATED.value, Architecture.PUBLISHED.value})


def write_event(
    caller: Caller, model: HostedModel, type_: ModelEvent.Type, architecture: str = ""
) -> ModelEvent:
    """A line of the feed, in the transaction of the deed, after the deed.

    Every line is the model's whole standing, so the newest one of a model is all that a follower
    needs. Offsets are gapless per organisation, positions over the installation: taking a
    position keeps out every other writer until the transaction ends.
    """
    position = next_position(Feed.MODELS)
    last = ModelEvent.objects.aggregate(top=Max("offset"))["top"] or 0
    now = datetime.now(UTC)
    live = model.live
    stated = {
        "schema": manifest.SCHEMA,
        **_names(model),
        "offset": last + 1,
        "type": type_.value,
        **_live(live),
        "architectures": _architectures(model, live),
        "at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return ModelEvent.objects.create(
        position=position,
        offset=last + 1,
        type=type_,
        model=model,
        version=live.number if live else None,
        sha256=live.bundle_sha256 if live else "",
        architecture=architecture,
        document=manifest.sealed(stated, sealing.signing_key()),
        actor=caller.actor,
        at=now,
    )


def _names(model: HostedModel) -> dict[str, str]:
    organisation = Organisation.objects.get(pk=current())
    return {
        "organisation": organisation.slug,
        "organisation_id": str(organisation.pk),
        "model": model.slug,
    }


def _live(version: Version | None) -> dict[str, Any]:
    if version is None:
        return dict.fromkeys(("version", "sha256", "size", "address", "runtime", "signature"))
    return {
        "version": version.number,
        "sha256": version.bundle_sha256,
        "size": version.bundle_size,
        "address": f"/api/v1/bundles/{version.bundle_sha256}",
        "runtime": runtime_of(version),
        "signature": version.signature,
    }


def runtime_of(version: Version) -> str:
    """``onnx``, or ``native`` for a version that only this portal's sandbox runs."""
    return NATIVE if version.report.get("runtime") == NATIVE else "onnx"


def _architectures(model: HostedModel, live: Version | None) -> list[str]:
    """Where the model is switched on and its live version can run."""
    active = Deployment.objects.filter(model=model, is_active=True)
    names = set(active.values_list("architecture", flat=True))
    native = live is not None and runtime_of(live) == NATIVE
    return sorted(names - GRAPHS_ONLY if native else names)


def complete_feed() -> int:
    """Give every model that was changed before there was a feed a line on it; returns how many.

    Run at each upgrade. What a line says is the model's present standing, under the type of the
    newest of its lines.
    """
    with tenancy.relay():
        lines = ModelEvent.gate.values_list("organisation_id", "model_id", "document__schema")
        told = {(org, model) for org, model, schema in lines if schema is not None}
        silent = {(org, model) for org, model, _ in lines} - told
    for organisation_id, model_id in sorted(silent):
        with tenancy.scope(organisation_id):
            rows = HostedModel.objects.select_for_update(of=("self",)).select_related("live")
            model = rows.get(pk=model_id)
            newest = ModelEvent.objects.filter(model=model).order_by("-offset")[0]
            write_event(system(organisation_id), model, ModelEvent.Type(newest.type))
    return len(silent)
