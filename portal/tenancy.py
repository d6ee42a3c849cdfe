"""Wall one: no row of an organisation is read or written outside that organisation's scope.

``scope(organisation_id)`` is entered once per request and once per task. It opens a transaction,
tells PostgreSQL whose transaction it is (wall two: row-level security, see ``isolation``), and
tells the managers. Outside a scope every tenant manager raises: the wall fails closed.

Narrow gates exist for what must be found before the organisation is known, or across all of them:
``bearer(proof)`` shows rows whose holder proved them (a key's id, a user's id, an invitation's
hash), ``dispatcher()`` shows whose turn it is, and ``relay()`` shows the feeds of models and of
keys, which servers of the installation follow; each nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, models, transaction

_organisation: ContextVar[UUID | None] = ContextVar("organisation", default=None)
_gate: ContextVar[str | None] = ContextVar("gate", default=None)

# What every database call raises while there is no database, or its connection just went.
DATABASE_AWAY = (OperationalError, InterfaceError)
# Seconds after which it has been found to be away; above the settings' connect_timeout.
DATABASE_PATIENCE = 6.0

M = TypeVar("M", bound=models.Model, covariant=True)


class OutsideTenant(RuntimeError):
    """Tenant data was touched with no organisation in scope, or across two. Always a bug."""


def current() -> UUID:
    """The organisation in scope. Raises OutsideTenant when there is none."""
    organisation = _organisation.get()
    if organisation is None:
        raise OutsideTenant("No organisation is in scope here.")
    return organisation


@contextmanager
def scope(organisation_id: UUID) -> Iterator[None]:
    """One transaction in which one organisation's rows, and no others, can be seen and written.

    Scopes of the same organisation nest; entering a second organisation's raises OutsideTenant.
    """
    if _organisation.get() not in (None, organisation_id):
        raise OutsideTenant("Another organisation is already in scope.")
    with _setting("berth.organisation", str(organisation_id)):
        token = _organisation.set(organisation_id)
        try:
            yield
        finally:
            _organisation.reset(token)


@contextmanager
def bearer(proof: object) -> Iterator[None]:
    """A transaction that can also SELECT the rows whose proof the caller holds."""
    with _open_gate("berth.bearer", str(proof)):
        yield


@contextmanager
def dispatcher() -> Iterator[None]:
    """A transaction that can read and stamp every organisation's turn (and only turns)."""
    with _open_gate("berth.dispatcher", "on"):
        yield


@contextmanager
def relay() -> Iterator[None]:
    """A transaction that can SELECT every organisation's lines of the feeds, and its name."""
    with _open_gate("berth.relay", "on"):
        yield


@contextmanager
def _open_gate(name: str, value: str) -> Iterator[None]:
    with _setting(name, value):
        token = _gate.set(name)
        try:
            yield
        finally:
            _gate.reset(token)


@contextmanager
def _setting(name: str, value: str) -> Iterator[None]:
    """Set a transaction-local variable. A rollback restores it; so do we inside an outer block."""
    nested = connection.in_atomic_block
    if not nested:
        connection.close_if_unusable_or_obsolete()
    with transaction.atomic(), connection.cursor() as cursor:
        before = ""
        if nested:
            cursor.execute("SELECT current_setting(%s, true)", [name])
            before = cursor.fetchone()[0] or ""
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        yield
        if nested:
            cursor.execute("SELECT set_config(%s, %s, true)", [name, before])


class TenantManager(models.Manager[M]):
    """Rows of the organisation in scope; raises OutsideTenant when none is."""

    def get_queryset(self) -> models.QuerySet[M]:
        return super().get_queryset().filter(organisation_id=current())

    def create(self, **values: Any) -> M:
        return super().create(**{"organisation_id": current(), **values})


class GateManager(models.Manager[M]):
    """Rows that an open gate shows; PostgreSQL decides which. Raises without a gate."""

    def get_queryset(self) -> models.QuerySet[M]:
        if _gate.get() is None:
            raise OutsideTenant("No gate is open here.")
        return super().get_queryset()


class TenantModel(models.Model):
    """Base of every table with an organisation."""

    organisation = models.ForeignKey(
        "portal.Organisation", on_delete=models.CASCADE, related_name="+", editable=False
    )

    objects: ClassVar[TenantManager[Any]] = TenantManager()
    gate: ClassVar[GateManager[Any]] = GateManager()

    class Meta:
        abstract = True
