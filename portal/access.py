"""Who is asking, and what they may do.

A ``Caller`` is made once at the edge, from a session or a key, and handed to every verb. What an
insider may not do is a 403 that says so; what an outsider asks for does not exist (404), which
row-level security sees to on its own: another organisation's rows are never found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from portal.errors import Forbidden
from portal.models import AuditEntry, Organisation, Role, User
from portal.tenancy import current


class Permission(StrEnum):
    """What can be allowed. The names double as the scopes of secret keys."""

    READ = "read"
    PREDICT = "predict"
    JOBS = "jobs"
    PUBLISH = "publish"
    MANAGE = "manage"
    SERVE = "serve"
    OWN = "own"


DESCRIPTIONS: Mapping[Permission, str] = {
    Permission.READ: "see models, versions, jobs and predictions",
    Permission.PREDICT: "ask for live predictions",
    Permission.JOBS: "score files and handle their results",
    Permission.PUBLISH: "upload, promote, roll back and deploy models",
    Permission.MANAGE: "manage keys, widgets and people",
    Permission.SERVE: "run a model server: follow the feeds, ship predictions",
    Permission.OWN: "change owners",
}

_VIEWER = frozenset({Permission.READ, Permission.PREDICT})
_PUBLISHER = _VIEWER | {Permission.JOBS, Permission.PUBLISH}
_ADMIN = _PUBLISHER | {Permission.MANAGE, Permission.SERVE}

ROLE_PERMISSIONS: Mapping[str, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.PUBLISHER: _PUBLISHER,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN | {Permission.OWN},
}

KEY_SCOPES: tuple[Permission, ...] = (
    Permission.READ,
    Permission.PREDICT,
    Permission.JOBS,
    Permission.PUBLISH,
    Permission.MANAGE,
    Permission.SERVE,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls a verb, as the verb needs to know them."""

    organisation_id: UUID
    actor: str
    permissions: frozenset[Permission]
    address: str = ""
    key_id: str = ""
    organisation: Organisation | None = None
    user: User | None = None
    role: str = ""

    @property
    def may(self) -> dict[str, bool]:
        """For templates: ``caller.may.publish``."""
        return {permission.value: permission in self.permissions for permission in Permission}

    def require(self, permission: Permission) -> None:
        """Raises Forbidden unless the caller has ``permission``."""
        if permission in self.permissions:
            return
        holder = "This key lacks the scope" if self.key_id else "Your role does not include"
        raise Forbidden(
            f"{holder} “{permission}” ({DESCRIPTIONS[permission]})."
            + ("" if self.key_id else " Ask an admin of your organisation.")
        )


def system(organisation_id: UUID, actor: str = "system") -> Caller:
    """Berth itself: a task, the demo, a command."""
    return Caller(organisation_id, actor, frozenset(Permission))


def record(caller: Caller, action: str, target: Any, label: str = "", **detail: Any) -> None:
    """The audit entry of a deed; call it inside the deed's transaction.

    ``action`` is ``noun.verb_in_past`` (``model.promoted``); ``target`` the object it was done
    to; ``detail`` what an auditor would ask, never secrets and never applicants' data.
    """
    AuditEntry.objects.create(
        organisation_id=current(),
        actor=caller.actor,
        address=caller.address,
        action=action,
        target=target._meta.model_name,
        target_id=str(target.pk),
        label=(label or str(target))[:200],
        detail=detail,
    )
