"""Recurring jobs and their runs."""

from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models

from models_hub.models import HostedModel, Version
from portal.models import new_id
from portal.tenancy import GateManager, TenantManager, TenantModel
from workers.recurring.timetable import Every, Timetable

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Schedule(TenantModel):
    """What is scored again and again: a source, by a model, at the times of a timetable."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120)
    model = models.ForeignKey(HostedModel, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(
        Version,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="null: the one that is live at the time",
    )
    source = models.JSONField(help_text="see workers.recurring.sources")
    key_column = models.CharField(max_length=200, blank=True)
    every = models.CharField(max_length=8, choices=[(e.value, e.value) for e in Every])
    at = models.TimeField()
    weekday = models.PositiveSmallIntegerField(default=0, help_text="0 is Monday")
    day = models.PositiveSmallIntegerField(default=1, help_text="of the month, or its last one")
    zone = models.CharField(max_length=64)
    mail = models.BooleanField(default=True, help_text="tell who made it when a run ends")
    paused = models.BooleanField(default=False)
    next_slot = models.DateTimeField(null=True, help_text="null while it is paused")
    created_by = models.CharField(max_length=254)
    created = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[TenantManager["Schedule"]] = TenantManager()
    gate: ClassVar[GateManager["Schedule"]] = GateManager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(paused=True, next_slot=None)
                | models.Q(paused=False, next_slot__isnull=False),
                name="paused_has_no_next_slot",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def timetable(self) -> Timetable:
        return Timetable(Every(self.every), self.at, ZoneInfo(self.zone), self.weekday, self.day)


class Run(TenantModel):
    """What became of a slot: at most one row for each."""

    class State(models.TextChoices):
        STARTED = "started", "Started"
        REFUSED = "refused", "Not started"
        SKIPPED = "skipped", "Skipped"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="runs")
    slot = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State)
    detail = models.TextField(blank=True, help_text="why it did not start")
    job = models.ForeignKey(
        "workers.Job", null=True, on_delete=models.SET_NULL, related_name="runs"
    )
    at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[TenantManager["Run"]] = TenantManager()
    gate: ClassVar[GateManager["Run"]] = GateManager()

    class Meta:
        ordering = ["-slot"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "slot"], name="one_run_per_slot")
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.slot:%Y-%m-%d %H:%M}"
