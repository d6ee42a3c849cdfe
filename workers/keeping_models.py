"""What is kept of jobs, and what has still to go: shelves, leftovers and erasures."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portal.models import new_id
from portal.tenancy import GateManager, TenantManager, TenantModel


class Shelf(TenantModel):
    """A partition of the predictions database that holds the rows of one large job.

    Made and dropped only by the functions of the migration of the shelves, which belong to the
    tables' owner. One whose job is gone waits to be dropped.
    """

    number = models.AutoField(primary_key=True)
    job = models.OneToOneField(
        "workers.Job", null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )

    objects: ClassVar[TenantManager["Shelf"]] = TenantManager()
    gate: ClassVar[GateManager["Shelf"]] = GateManager()

    def __str__(self) -> str:
        return f"shelf {self.number}"


class Leftover(TenantModel):
    """A stored object that something stopped needing: it goes if nothing else needs it.

    Written in the transaction that gives the object up, so no crash leaves it behind for ever.
    """

    sha256 = models.CharField(max_length=64)

    objects: ClassVar[TenantManager["Leftover"]] = TenantManager()
    gate: ClassVar[GateManager["Leftover"]] = GateManager()

    def __str__(self) -> str:
        return self.sha256


class Erasure(TenantModel):
    """All rows with one key are to go, from every job there was when it was asked for.

    ``key`` is there only until that is done; ``digest`` (keyed, see ``workers.erasing``) stays.
    ``jobs_left`` are the jobs that were not gone through yet: those at work wait for their end.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    jobs_left = ArrayField(models.UUIDField(), default=list)
    jobs = models.IntegerField(default=0, help_text="jobs in which the key was")
    rows = models.IntegerField(default=0, help_text="rows that went")
    created_by = models.CharField(max_length=254)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager["Erasure"]] = TenantManager()
    gate: ClassVar[GateManager["Erasure"]] = GateManager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.digest[:12]
