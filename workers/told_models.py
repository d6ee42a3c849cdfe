"""What the world outside is told: webhooks and their deliveries, and mail."""

from typing import ClassVar
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from portal.models import User, new_id
from portal.tenancy import GateManager, TenantManager, TenantModel


class Outgoing(TenantModel):
    """Base of the outboxes' lines: written with the deed they tell of, sent by a worker.

    ``attempt`` counts the tries and is the fence: who wants to note an outcome must still have
    the last one. A line in a worker's hands is ``due`` again when its lease runs out.
    """

    class State(models.TextChoices):
        PENDING = "pending", "On its way"
        SENT = "sent", "Delivered"
        DEAD = "dead", "Given up"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    attempt = models.PositiveSmallIntegerField(default=0)
    spent = models.PositiveSmallIntegerField(
        default=0, help_text="tries made before somebody had it sent again"
    )
    due = models.DateTimeField(db_default=Now())
    error = models.TextField(blank=True, help_text="of the last try")
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager["Outgoing"]] = TenantManager()
    gate: ClassVar[GateManager["Outgoing"]] = GateManager()

    class Meta:
        abstract = True
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["organisation", "due"],
                condition=models.Q(state="pending"),
                name="%(class)s_due",
            )
        ]


class Event(models.TextChoices):
    SUCCEEDED = "job.succeeded", "A job succeeded"
    PARTIAL = "job.partial", "A job ended with rows that could not be scored"
    FAILED = "job.failed", "A job failed"
    CANCELLED = "job.cancelled", "A job was cancelled"


class Endpoint(TenantModel):
    """An address of the organisation's that is called when a job ends.

    Its secret is not stored: ``serial`` says which one of those that only this installation can
    derive it is (see ``workers.webhooks.signing``); a new serial is a new secret.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    url = models.CharField(max_length=500)
    events = ArrayField(models.CharField(max_length=32, choices=Event))
    serial = models.PositiveIntegerField(default=1)
    rotated = models.DateTimeField(null=True, help_text="when the serial before this one ended")
    failing_since = models.DateTimeField(null=True)
    disabled = models.DateTimeField(null=True)
    why_disabled = models.TextField(blank=True)
    created_by = models.CharField(max_length=254)
    created = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[TenantManager["Endpoint"]] = TenantManager()
    gate: ClassVar[GateManager["Endpoint"]] = GateManager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.url

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


class Delivery(Outgoing):
    """A message to one endpoint. ``body`` is what is signed and sent, byte for byte."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    job = models.ForeignKey("workers.Job", null=True, on_delete=models.SET_NULL, related_name="+")
    event = models.CharField(max_length=32)
    body = models.TextField()
    tries = models.JSONField(default=list, help_text="at, status, milliseconds and error of each")

    objects: ClassVar[TenantManager["Delivery"]] = TenantManager()
    gate: ClassVar[GateManager["Delivery"]] = GateManager()

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"


class Letter(Outgoing):
    """A mail to a person, made from a template in ``templates/mail`` when it is sent."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    template = models.CharField(max_length=32)
    facts = models.JSONField()

    objects: ClassVar[TenantManager["Letter"]] = TenantManager()
    gate: ClassVar[GateManager["Letter"]] = GateManager()

    def __str__(self) -> str:
        return f"{self.template} {self.pk}"
