"""What was uploaded: hosted models, their versions, and the feed of what happened to them."""

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portal.models import new_id
from portal.tenancy import GateManager, TenantManager, TenantModel


class HostedModel(TenantModel):
    """A model with an address of its own. Which version answers is ``live``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=63)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    live = models.ForeignKey(
        "Version", null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    before = ArrayField(models.PositiveIntegerField(), default=list, editable=False)
    """Numbers of the versions that were live before, latest last: what a roll-back goes back to."""
    created_by = models.CharField(max_length=254)
    created = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[TenantManager["HostedModel"]] = TenantManager()
    gate: ClassVar[GateManager["HostedModel"]] = GateManager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "slug"], name="one_model_per_slug")
        ]

    def __str__(self) -> str:
        return self.name


class Version(TenantModel):
    """One upload. While it is inspected it changes; sealed or refused, it never does again."""

    class Status(models.TextChoices):
        INSPECTING = "inspecting", "Inspecting"
        READY = "ready", "Ready"
        REFUSED = "refused", "Refused"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=16, choices=Status, default=Status.INSPECTING)
    format = models.CharField(max_length=16)
    filename = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    sample_sha256 = models.CharField(max_length=64, blank=True)
    sample_filename = models.CharField(max_length=200, blank=True)
    sample_size = models.BigIntegerField(default=0)
    target = models.CharField(max_length=200, blank=True)
    notes = models.TextField(blank=True)
    metrics = models.JSONField(default=dict)
    signature = models.JSONField(null=True)
    report = models.JSONField(default=dict)
    refusal = models.JSONField(null=True)
    bundle_sha256 = models.CharField(max_length=64, blank=True)
    bundle_size = models.BigIntegerField(default=0)
    derived_from = models.PositiveIntegerField(
        null=True, help_text="number of the version whose signature a person corrected into this"
    )
    attempt = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=254)
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager["Version"]] = TenantManager()
    gate: ClassVar[GateManager["Version"]] = GateManager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="one_version_per_number"),
            models.CheckConstraint(
                condition=~models.Q(status="ready") | ~models.Q(bundle_sha256=""),
                name="ready_means_sealed",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="refused") | models.Q(refusal__isnull=False),
                name="refused_means_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model.slug} version {self.number}"

    @property
    def file_deleted(self) -> datetime | None:
        """When the uploaded files were deleted, if they were."""
        removal: Removal | None = getattr(self, "removal", None)
        return removal.at if removal else None


class Removal(TenantModel):
    """The files of a refused version were deleted; the version itself never changes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.OneToOneField(Version, on_delete=models.CASCADE, related_name="removal")
    actor = models.CharField(max_length=254)
    at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[TenantManager["Removal"]] = TenantManager()
    gate: ClassVar[GateManager["Removal"]] = GateManager()

    def __str__(self) -> str:
        return f"{self.version} deleted"


class ModelEvent(TenantModel):
    """A line of the model feed, written by the verb that changes a model.

    ``document`` is the signed manifest, the model's whole standing after the deed. Lines of a
    release that had no feed have none, and are not on it.
    """

    class Type(models.TextChoices):
        PROMOTED = "promoted"
        ROLLED_BACK = "rolled_back"
        WITHDRAWN = "withdrawn"
        ACTIVATED = "activated"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    position = models.PositiveBigIntegerField(
        unique=True, help_text="gapless over the installation, from 1"
    )
    offset = models.PositiveBigIntegerField(help_text="gapless within the organisation, from 1")
    type = models.CharField(max_length=16, choices=Type)
    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="events")
    version = models.PositiveIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True, help_text="of the live Bundle")
    architecture = models.CharField(max_length=16, blank=True, help_text="what it was about")
    document = models.JSONField(null=True)
    actor = models.CharField(max_length=254)
    at = models.DateTimeField()

    objects: ClassVar[TenantManager["ModelEvent"]] = TenantManager()
    gate: ClassVar[GateManager["ModelEvent"]] = GateManager()

    class Meta:
        ordering = ["offset"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "offset"], name="one_event_per_offset")
        ]
        indexes = [models.Index(fields=["sha256"], name="events_of_a_bundle")]

    def __str__(self) -> str:
        return f"{self.offset} {self.type}"


#: The events that make a version the live one.
MADE_LIVE = (ModelEvent.Type.PROMOTED, ModelEvent.Type.ROLLED_BACK)


class SandboxCheck(models.Model):
    """What the workers of one machine found when they last tried the walls of their sandbox.

    `form` is the form in use; it can open files that bring code only where it `holds`. `walls`
    says of each wall "" or what was possible, `reason` why there is no sandbox.
    """

    host = models.CharField(primary_key=True, max_length=255)
    form = models.CharField(max_length=16)
    holds = models.BooleanField()
    reason = models.TextField(blank=True)
    walls = models.JSONField(default=dict)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.host} {self.form}"


class Architecture(models.TextChoices):
    """Where a model answers (see predictions.architectures for what each one does)."""

    EMBEDDED = "embedded", "Embedded"
    DEDICATED = "dedicated", "Dedicated model API"
    PUBLISHED = "published", "Published as data"
    OFFLINE = "offline", "Offline predictions"


class Deployment(TenantModel):
    """A model in one architecture."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="deployments")
    architecture = models.CharField(max_length=16, choices=Architecture)
    is_active = models.BooleanField(default=False)
    in_browser = models.BooleanField(
        default=False, help_text="may widgets give the model to the applicant's browser?"
    )
    changed = models.DateTimeField(auto_now=True)

    objects: ClassVar[TenantManager["Deployment"]] = TenantManager()
    gate: ClassVar[GateManager["Deployment"]] = GateManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "architecture"], name="one_deployment_per_architecture"
            ),
            models.CheckConstraint(
                condition=models.Q(in_browser=False) | models.Q(architecture="embedded"),
                name="in_browser_is_embedded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model.slug} {self.architecture}"
