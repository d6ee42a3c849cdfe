"""Who there is: people, organisations, their members, keys and the trail of what they did."""

import uuid
from typing import Any, ClassVar

import uuid_utils.compat
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from portal.tenancy import GateManager, TenantManager, TenantModel


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): unguessable enough for an address, and in order of time."""
    return uuid_utils.compat.uuid7()


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **more: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **more)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **more: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **more)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. People belong to organisations through memberships."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    job_mails = models.BooleanField(default=True, help_text="is told when a job of theirs ended")
    date_joined = models.DateTimeField(default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or self.email


class Organisation(models.Model):
    """The tenant."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=120)
    created = models.DateTimeField(auto_now_add=True)
    calls_per_minute = models.PositiveIntegerField(default=60_000)
    storage_quota = models.BigIntegerField(default=10 * 1024**3, help_text="bytes")
    own_code = models.BooleanField(
        default=False, help_text="uploads may bring classes and functions of their own"
    )
    keep_inputs = models.BooleanField(
        default=True, help_text="the rows of a job's file stay beside their predictions"
    )
    inputs_days = models.PositiveIntegerField(null=True, help_text="a job's rows; None: no end")
    jobs_days = models.PositiveIntegerField(null=True, help_text="jobs and their predictions")
    live_days = models.PositiveIntegerField(null=True, help_text="records of live predictions")

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    PUBLISHER = "publisher", "Publisher"
    VIEWER = "viewer", "Viewer"


class Membership(TenantModel):
    """A person's role in an organisation."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)
    created = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[TenantManager["Membership"]] = TenantManager()
    gate: ClassVar[GateManager["Membership"]] = GateManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="one_membership_each"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="known_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Invitation(TenantModel):
    """A link that makes its holder a member. Only the SHA-256 of its secret is stored."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=Role)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    accepted = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager["Invitation"]] = TenantManager()
    gate: ClassVar[GateManager["Invitation"]] = GateManager()

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"

    @property
    def is_open(self) -> bool:
        return self.accepted is None and self.revoked is None and self.expires > timezone.now()


class ApiKey(TenantModel):
    """A key's facts. A secret key's text is never stored, only its SHA-256 digest."""

    class Kind(models.TextChoices):
        SECRET = "secret", "Secret"
        PUBLISHABLE = "publishable", "Publishable"

    id = models.CharField(primary_key=True, max_length=32, editable=False)
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=16), default=list)
    calls_per_minute = models.PositiveIntegerField(default=30_000)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager["ApiKey"]] = TenantManager()
    gate: ClassVar[GateManager["ApiKey"]] = GateManager()

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.name


class KeyEvent(TenantModel):
    """A line of the feed of keys: a key's whole standing, for model servers to go by."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    position = models.PositiveBigIntegerField(
        unique=True, help_text="gapless over the installation, from 1"
    )
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="events")
    document = models.JSONField()
    at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[TenantManager["KeyEvent"]] = TenantManager()
    gate: ClassVar[GateManager["KeyEvent"]] = GateManager()

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position} {self.key_id}"


class ServerToken(models.Model):
    """What a model server of the installation shows; of its text only the digest is stored."""

    id = models.CharField(primary_key=True, max_length=32, editable=False)
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64)
    created = models.DateTimeField(auto_now_add=True)
    revoked = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created"]

    def __str__(self) -> str:
        return self.name


class Counter(models.Model):
    """The last number given out of a gapless series; see ``portal.feeds``."""

    name = models.CharField(primary_key=True, max_length=32)
    value = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


class AuditEntry(TenantModel):
    """Who did what to which object. Written in the transaction of the deed; append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=254, help_text="e-mail, key id or 'system'")
    address = models.CharField(max_length=45, blank=True)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=64)
    target_id = models.CharField(max_length=64)
    label = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)

    objects: ClassVar[TenantManager["AuditEntry"]] = TenantManager()
    gate: ClassVar[GateManager["AuditEntry"]] = GateManager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["organisation", "-id"], name="audit_by_organisation")]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.label}"


class IdempotentReply(TenantModel):
    """What a POST with an Idempotency-Key answered, so that its repeat answers the same."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key_id = models.CharField(max_length=32)
    path = models.CharField(max_length=300)
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    started = models.DateTimeField(auto_now_add=True)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.BinaryField(null=True)
    headers = models.JSONField(default=dict)

    objects: ClassVar[TenantManager["IdempotentReply"]] = TenantManager()
    gate: ClassVar[GateManager["IdempotentReply"]] = GateManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "key_id", "path", "idempotency_key"],
                name="one_reply_per_idempotency_key",
            )
        ]

    def __str__(self) -> str:
        return self.idempotency_key


class Turn(TenantModel):
    """An organisation has work of a kind waiting. Seen by the dispatcher across organisations.

    It carries nothing but the order; see ``portal.turns``.
    """

    class Kind(models.TextChoices):
        INSPECT = "inspect"
        SCORE = "score"
        RECUR = "recur"
        DELIVER = "deliver"
        MAIL = "mail"
        PURGE = "purge"

    kind = models.CharField(max_length=16, choices=Kind)
    waiting = models.BooleanField(default=True)
    due = models.DateTimeField(db_default=Now(), help_text="nobody is rung for before")
    last_served = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager["Turn"]] = TenantManager()
    gate: ClassVar[GateManager["Turn"]] = GateManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "kind"], name="one_turn_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.organisation_id}"
