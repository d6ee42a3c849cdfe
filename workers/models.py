"""Using a model later: jobs, their chunks, and the predictions they left."""

from typing import ClassVar

from django.db import models
from django.db.models import CompositePrimaryKey

from models_hub.models import Version
from portal.models import new_id
from portal.tenancy import GateManager, TenantManager, TenantModel
from workers.keeping_models import Erasure, Leftover, Shelf
from workers.recurring_models import Run, Schedule
from workers.told_models import Delivery, Endpoint, Letter

__all__ = [
    "Chunk",
    "Delivery",
    "Endpoint",
    "Erasure",
    "Heartbeat",
    "Job",
    "JobRow",
    "Leftover",
    "Letter",
    "RelayState",
    "Run",
    "Schedule",
    "Shelf",
]

#: The format of a job that is made of another one's rows.
FAILED_ROWS = "failed-rows"


class Job(TenantModel):
    """A file to be scored by one version."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        PARTIAL = "partial", "Partly scored"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="jobs")
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    filename = models.CharField(max_length=200)
    format = models.CharField(max_length=16)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    stored = models.BigIntegerField(default=0, help_text="bytes of the chunks made from the file")
    key_column = models.CharField(max_length=200, blank=True)
    columns = models.JSONField(default=list, help_text="the caller's columns, in order")
    source = models.CharField(
        max_length=500, blank=True, help_text="where the file lies, if it was not sent"
    )
    reading = models.JSONField(
        default=dict, help_text="how the file is read (reading.Options): as told, then as found"
    )
    mapping = models.JSONField(
        default=dict, help_text="by an input's name the file's column: as told, then as found"
    )
    retry_of = models.UUIDField(
        null=True, help_text="the job some of whose rows these are; it may be gone"
    )
    rows_total = models.BigIntegerField(null=True, help_text="known once the file is split")
    shelf = models.IntegerField(default=0, help_text="where its rows are: a Shelf's number, or 0")
    upload_gone = models.BooleanField(default=False, help_text="the file itself is not kept")
    inputs_gone = models.BooleanField(default=False, help_text="nor are the rows read from it")
    rows_erased = models.BigIntegerField(default=0, help_text="by erasures of a key")
    crashes = models.PositiveIntegerField(
        default=0, help_text="how often a chunk outlived its workers"
    )
    error = models.JSONField(null=True)
    created_by = models.CharField(max_length=254)
    created = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager["Job"]] = TenantManager()
    gate: ClassVar[GateManager["Job"]] = GateManager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.filename


class Chunk(TenantModel):
    """Some consecutive rows of a job: what a worker claims, scores and closes at once.

    ``row_from`` SPLIT is the splitting of the file itself; its ``row_to`` and ``offset`` say how
    far it came. The claim is a lease by the database's clock; the fence makes the finish of a
    worker that lost its lease fail. The rows lie in a stored object that starts with row
    ``object_from``; a chunk that was halved shares it with its other half.
    """

    SPLIT = -1

    class State(models.TextChoices):
        PENDING = "pending"
        LEASED = "leased"
        DONE = "done"
        QUARANTINED = "quarantined"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    row_from = models.BigIntegerField(help_text="the first row")
    row_to = models.BigIntegerField(default=0, help_text="the row after the last one")
    object_sha256 = models.CharField(max_length=64, blank=True)
    object_from = models.BigIntegerField(default=0)
    offset = models.BigIntegerField(
        default=0, help_text="of the splitting: bytes (unpacked) or rows of the file read so far"
    )
    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    lease_until = models.DateTimeField(null=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    rows_ok = models.IntegerField(default=0)
    rows_bad = models.IntegerField(default=0)
    error = models.TextField(blank=True)

    objects: ClassVar[TenantManager["Chunk"]] = TenantManager()
    gate: ClassVar[GateManager["Chunk"]] = GateManager()

    class Meta:
        ordering = ["row_from"]
        constraints = [
            models.UniqueConstraint(fields=["job", "row_from"], name="one_chunk_per_first_row")
        ]
        indexes = [
            models.Index(
                fields=["organisation", "job", "row_from"],
                condition=models.Q(state__in=["pending", "leased"]),
                name="chunks_to_do",
            ),
            models.Index(fields=["organisation", "object_sha256"], name="chunks_of_an_object"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.row_from}"


class JobRow(TenantModel):
    """The prediction for one row of a job's file, or why there is none.

    There are millions of these, so there is no index that no question needs, and the table is
    partitioned by shelf: a large job has one to itself, which is dropped with it, all others
    share shelf 0. Name the shelf whenever you ask (``doors.rows_of_job`` does): then no other
    partition is looked at.
    """

    pk = CompositePrimaryKey("job_id", "row")
    organisation = models.ForeignKey(
        "portal.Organisation",
        on_delete=models.CASCADE,
        related_name="+",
        editable=False,
        db_constraint=False,
        db_index=False,
    )
    job = models.ForeignKey(
        Job, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    shelf = models.IntegerField(default=0)
    row = models.BigIntegerField(help_text="number of the row in the file, from 0")
    key = models.TextField(null=True)
    value = models.FloatField(null=True)
    label = models.TextField(null=True)
    probability = models.FloatField(null=True, help_text="of the label")
    error = models.TextField(null=True)

    objects: ClassVar[TenantManager["JobRow"]] = TenantManager()
    gate: ClassVar[GateManager["JobRow"]] = GateManager()

    class Meta:
        indexes = [
            models.Index(fields=["job", "key"], name="job_rows_by_key"),
            models.Index(
                fields=["job", "row"],
                condition=models.Q(error__isnull=False),
                name="job_rows_with_errors",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.row}"


class Heartbeat(models.Model):
    """A worker process that is alive; readiness and the supervisor read it."""

    name = models.CharField(primary_key=True, max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class RelayState(models.Model):
    """How far one feed has got into its topic on Kafka; the relay that holds the lease writes it.

    `position` is the last line that the brokers have. At `at`, by the database's clock, `problem`
    held up what comes after it, since `since`.
    """

    topic = models.CharField(primary_key=True, max_length=249)
    topic_id = models.CharField(max_length=64, blank=True)
    position = models.PositiveBigIntegerField(default=0)
    problem = models.TextField(blank=True)
    since = models.DateTimeField(null=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.topic} {self.position}"
