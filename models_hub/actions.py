"""What can be done to models and versions. Each verb: permission, transaction, audit, event."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from berth.signature import Signature
from models_hub import sealing, standing, storage
from models_hub.doors import get_model_for, get_version_for
from models_hub.events import write_event
from models_hub.formats import HEAD, Format, Refused, recognise
from models_hub.models import Architecture, Deployment, HostedModel, ModelEvent, Version
from models_hub.places import require_file
from models_hub.quarantine import hold
from models_hub.quota import require_room
from portal.access import Caller, Permission, record
from portal.errors import Conflict, Invalid
from portal.tenancy import current
from portal.turns import Kind, announce
from portal.uploads import Received

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = frozenset({"new"})  # the portal's /models/new
LONGEST = {"name": 120, "description": 10_000, "target": 200, "notes": 10_000}
MOST_BEFORE = 50
ACTIVE_AT_BIRTH = {Architecture.EMBEDDED, Architecture.OFFLINE}


def create_model(caller: Caller, slug: str, name: str, description: str = "") -> HostedModel:
    """A model without a version yet, embedded and offline from the start.

    Raises Invalid for a slug that can't stand in an address, Conflict when it is taken.
    """
    caller.require(Permission.PUBLISH)
    if not SLUG.fullmatch(slug):
        raise Invalid.field(
            "slug", "bad_slug", "A slug has 1 to 63 small letters, digits and inner hyphens."
        )
    if slug in RESERVED:
        raise Invalid.field("slug", "bad_slug", f"“{slug}” is a page of its own. Choose another.")
    if not name.strip():
        raise Invalid.field("name", "bad_name", "A name has 1 to 120 characters.")
    for field, text in {"name": name, "description": description}.items():
        _check_text(field, text)
    try:
        with transaction.atomic():
            model = HostedModel.objects.create(
                slug=slug,
                name=name.strip(),
                description=description.strip(),
                created_by=caller.actor,
            )
            for architecture in Architecture:
                active = architecture in ACTIVE_AT_BIRTH
                Deployment.objects.create(model=model, architecture=architecture, is_active=active)
            record(caller, "model.created", model)
    except IntegrityError as error:
        raise Conflict(f"There is a model “{slug}” already.", code="slug_taken") from error
    return model


def upload_version(
    caller: Caller,
    slug: str,
    artifact: Received,
    sample: Received | None = None,
    *,
    target: str = "",
    notes: str = "",
    metrics: Mapping[str, Any] | None = None,
    trusted: bool = False,
) -> Version:
    """Store the files and record a version; a worker will inspect it.

    The files are stored, durably, before the version exists: what is acknowledged is there.
    Raises Invalid for a text that can't be kept and for a file that no format recognises,
    TooLarge beyond the quota, Unavailable for one that only a sandbox can open where there is
    none. `trusted` says that we made the file ourselves.
    """
    caller.require(Permission.PUBLISH)
    for name, text in {"target": target, "notes": notes}.items():
        _check_text(name, text)
    model = get_model_for(caller, slug)
    format_ = _format_of(artifact)
    if format_.brings_code and not trusted:
        standing.require(format_.name)
    require_room(artifact.size + (sample.size if sample else 0))
    for file in filter(None, (artifact, sample)):
        storage.put_file(current(), file.sha256, file.path)
    with transaction.atomic():
        for file in filter(None, (artifact, sample)):
            hold(file)
        version = Version.objects.create(
            model=model,
            number=_next_number(caller, slug),
            format=format_.name,
            filename=artifact.filename,
            sha256=artifact.sha256,
            size=artifact.size,
            sample_sha256=sample.sha256 if sample else "",
            sample_filename=sample.filename if sample else "",
            sample_size=sample.size if sample else 0,
            target=target,
            notes=notes,
            metrics=dict(metrics or {}),
            report={"stages": [sealing.stage("received", f"{artifact.size:,} bytes")]},
            created_by=caller.actor,
        )
        record(caller, "version.uploaded", version, sha256=artifact.sha256)
        announce(Kind.INSPECT)
    return version


def _check_text(name: str, text: str) -> None:
    most = LONGEST[name]
    if "\0" in text or len(text) > most:  # PostgreSQL has no text with a NUL
        detail = f"“{name}” has at most {most:,} characters, and none of them is NUL."
        raise Invalid.field(name, "bad_text", detail)


def _format_of(artifact: Received) -> Format:
    """By content and name together; nothing of the file is parsed here."""
    with artifact.path.open("rb") as stream:
        head = stream.read(HEAD)
    try:
        return recognise(head, artifact.filename)
    except Refused as refusal:
        raise Invalid.field("artifact", refusal.code, refusal.detail) from refusal


def _next_number(caller: Caller, slug: str) -> int:
    model = get_model_for(caller, slug, lock=True)
    return (Version.objects.filter(model=model).aggregate(top=Max("number"))["top"] or 0) + 1


def promote(caller: Caller, slug: str, number: int) -> HostedModel:
    """Version ``number`` answers from now on. Raises Conflict when it is not ready, and for one
    that does not fit: see ``_require_fit``."""
    caller.require(Permission.PUBLISH)
    with transaction.atomic():
        model = get_model_for(caller, slug, lock=True)
        version = get_version_for(caller, slug, number)
        if version.status != Version.Status.READY:
            raise Conflict(
                f"Version {number} is {version.get_status_display().lower()}; only a version that"
                " is ready can be promoted.",
                code="not_ready",
            )
        if model.live_id == version.pk:
            return model
        _require_fit(model, version)
        before = _live_number(model)
        model.before = [*model.before, before][-MOST_BEFORE:] if before else model.before
        _make_live(caller, model, version, ModelEvent.Type.PROMOTED)
    return model


def _require_fit(model: HostedModel, version: Version) -> None:
    """A version that was found to answer differently somewhere goes live nowhere; one that no
    browser can run does not where people were told that what they type stays on their device."""
    certificate = version.report.get("certificate")
    if certificate is not None and not certificate["passed"]:
        raise Conflict(
            f"Version {version.number} does not answer alike in all architectures, so it can't be"
            " promoted: see its report.",
            code="not_certified",
        )
    if Deployment.objects.filter(model=model, in_browser=True).exists():
        way_out = "To make it live, switch “In the applicant’s browser” off first."
        require_file(version, way_out)


def roll_back(caller: Caller, slug: str) -> HostedModel:
    """The version that was live before is live again. Raises Conflict when there was none, and
    as ``promote`` does."""
    caller.require(Permission.PUBLISH)
    with transaction.atomic():
        model = get_model_for(caller, slug, lock=True)
        if not model.before:
            raise Conflict("No other version was live before this one.", code="nothing_before")
        version = get_version_for(caller, slug, model.before[-1])
        _require_fit(model, version)
        model.before = model.before[:-1]
        _make_live(caller, model, version, ModelEvent.Type.ROLLED_BACK)
    return model


def withdraw(caller: Caller, slug: str) -> HostedModel:
    """No version answers any more, here or at whoever follows the feed; a roll-back undoes it.

    Raises Conflict when nothing is live.
    """
    caller.require(Permission.PUBLISH)
    with transaction.atomic():
        model = get_model_for(caller, slug, lock=True)
        if model.live is None:
            raise Conflict(f"No version of “{slug}” is live.", code="nothing_live")
        model.before = [*model.before, model.live.number][-MOST_BEFORE:]
        _make_live(caller, model, None, ModelEvent.Type.WITHDRAWN)
    return model


def _live_number(model: HostedModel) -> int | None:
    return model.live.number if model.live else None


def _make_live(
    caller: Caller, model: HostedModel, version: Version | None, type_: ModelEvent.Type
) -> None:
    before = _live_number(model)
    model.live = version
    model.save(update_fields=["live", "before"])
    write_event(caller, model, type_)
    record(caller, f"model.{type_.value}", model, version=_live_number(model), before=before)


def correct_signature(
    caller: Caller,
    slug: str,
    number: int,
    changes: Sequence[Mapping[str, Any]],
    *,
    unit: str | None = None,
) -> Version:
    """A person's corrections of a version's signature, as a new version of the same pipeline.

    A sealed version never changes, so the correction is sealed as the next number: it can be
    tried, promoted and rolled back like any other. ``changes`` name a field each and any of
    label, help, unit, choices, minimum, maximum, default, required, enforced; ``unit`` is the
    output's. Raises InvalidSignature with pointers when they contradict themselves.
    """
    caller.require(Permission.PUBLISH)
    source = get_version_for(caller, slug, number)
    if source.status != Version.Status.READY:
        raise Conflict(f"Version {number} has no sealed signature to correct.", code="not_ready")
    signature = Signature.from_json(source.signature).corrected(list(changes))
    if unit is not None:
        signature = replace(signature, output=replace(signature.output, unit=unit.strip()))
    with transaction.atomic():
        version = Version(
            organisation_id=current(),
            model=source.model,
            number=_next_number(caller, slug),
            derived_from=source.number,
            notes=f"Signature of version {source.number} corrected.",
            created_by=caller.actor,
            status=Version.Status.READY,
            ended=timezone.now(),
        )
        for name in ("format", "filename", "sha256", "size", "target", "metrics", "report"):
            setattr(version, name, getattr(source, name))
        sealing.reseal(version, source, signature)
        if certificate := version.report.get("certificate"):  # the pipeline is the one it is about
            inherited = {"of": source.number, **certificate}
            version.report = {**version.report, "certificate": inherited}
        version.save(force_insert=True)
        record(caller, "version.corrected", version, of=source.number)
    return version
