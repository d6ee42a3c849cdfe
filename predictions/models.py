"""Using a model now: the calls that were answered, and the widgets that ask."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from models_hub.models import HostedModel
from portal.models import ApiKey, new_id
from portal.tenancy import GateManager, TenantManager, TenantModel


class Prediction(TenantModel):
    """One live call as it was asked and answered. Loaded from the web processes' journals.

    No foreign keys on purpose: the record outlives what it names, and loading must not wait on
    other tables' locks.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    at = models.DateTimeField(help_text="when it was answered")
    model = models.CharField(max_length=63, help_text="the model's slug")
    version = models.PositiveIntegerField()
    source = models.CharField(max_length=32, help_text="the key's id, or the page that asked")
    rows = models.PositiveIntegerField()
    milliseconds = models.FloatField()
    request = models.TextField(help_text="the JSON that came in, as it came")
    response = models.TextField(help_text="the JSON that went out, byte for byte")

    objects: ClassVar[TenantManager["Prediction"]] = TenantManager()
    gate: ClassVar[GateManager["Prediction"]] = GateManager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organisation", "model", "-at"], name="predictions_of_a_model")
        ]

    def __str__(self) -> str:
        return str(self.id)


class JournalFile(models.Model):
    """A journal file whose records are all in ``Prediction``; no organisation's data in itself."""

    name = models.CharField(primary_key=True, max_length=200)
    records = models.PositiveIntegerField()
    torn = models.PositiveIntegerField(help_text="records cut off by a crash; never answered")
    loaded = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Subscriber(TenantModel):
    """What an application or a model server last said of one model: see ``subscribers``."""

    class Kind(models.TextChoices):
        SUBSCRIBER = "subscriber", "Subscriber"
        SERVER = "server", "Server"

    class Status(models.TextChoices):
        APPLIED = "applied", "Applied"
        REFUSED = "refused", "Refused"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="subscribers")
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=100, help_text="what it calls itself")
    source = models.CharField(max_length=32, help_text="the id of the key or token it showed")
    berth = models.CharField(max_length=32, blank=True, help_text="its release of berth")
    offset = models.PositiveBigIntegerField(help_text="of the newest line that it went by")
    version = models.PositiveIntegerField(null=True, help_text="that the line names")
    sha256 = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=16, choices=Status)
    code = models.CharField(max_length=64, blank=True)
    detail = models.TextField(blank=True)
    at = models.DateTimeField(null=True, help_text="when it came to that status")
    seconds = models.FloatField(null=True, help_text="that it took to apply it")
    heard = models.DateTimeField()

    objects: ClassVar[TenantManager["Subscriber"]] = TenantManager()
    gate: ClassVar[GateManager["Subscriber"]] = GateManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "kind", "name"], name="one_subscriber_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Widget(TenantModel):
    """A form for applicants, reached by its publishable key."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.OneToOneField(ApiKey, on_delete=models.CASCADE, related_name="widget")
    model = models.ForeignKey(
        HostedModel,
        null=True,
        on_delete=models.SET_NULL,
        related_name="widgets",
        help_text="none yet: it takes the first model that is promoted",
    )
    title = models.CharField(max_length=120, blank=True)
    intro = models.TextField(blank=True)
    button = models.CharField(max_length=60, blank=True)
    contact = models.CharField(max_length=200, blank=True, help_text="who answers questions")
    origins = ArrayField(models.CharField(max_length=255), default=list)
    created = models.DateTimeField(auto_now_add=True)
    seen = models.DateTimeField(null=True, help_text="first shown inside an allowed site")

    objects: ClassVar[TenantManager["Widget"]] = TenantManager()
    gate: ClassVar[GateManager["Widget"]] = GateManager()

    class Meta:
        ordering = ["created"]

    def __str__(self) -> str:
        return self.title or str(self.key_id)
