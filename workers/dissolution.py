"""The end of an organisation: nothing of it stays, whenever this is killed and begun again.

First it is closed: jobs cancelled, models withdrawn, keys revoked, members let go; whoever
follows the feeds is told. Then everything goes, the large things in steps, the organisation itself
last: until then its slug finds it again.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from django.apps import apps
from django.db import connection, connections, transaction

from models_hub import storage
from models_hub.actions import withdraw
from models_hub.models import HostedModel
from portal import tenancy
from portal.access import system
from portal.actions import revoke_key
from portal.errors import Conflict, NotFound, Unavailable
from portal.models import ApiKey, Invitation, Membership, Organisation
from portal.tenancy import TenantModel, scope
from workers.actions import OPEN, cancel_job
from workers.models import Job, JobRow, Shelf
from workers.removal import remove
from workers.shelves import drop_shelves

PATIENCE = 60.0  # seconds that a reader of the whole database may hold up a shelf
AT_ONCE = 5_000
_FORGET_LIVE = """
DELETE FROM predictions_prediction WHERE id IN (
    SELECT id FROM predictions_prediction WHERE organisation_id = %s LIMIT %s)
"""


def organisation_called(slug: str) -> UUID:
    """Its id. Raises NotFound."""
    with tenancy.relay():
        found = Organisation.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound("organisation")
    return found


def close(organisation_id: UUID) -> None:
    """From here on nobody can act for it, nothing answers for it, and no job of it works."""
    caller = system(organisation_id)
    with scope(organisation_id):
        Membership.objects.all().delete()
        Invitation.objects.all().delete()
        open_jobs = list(Job.objects.filter(status__in=OPEN).values_list("pk", flat=True))
        live = list(HostedModel.objects.exclude(live=None).values_list("slug", flat=True))
        keys = list(ApiKey.objects.filter(revoked=None).values_list("pk", flat=True))
    steps: list[Callable[[], object]] = [
        *(lambda key=key: revoke_key(caller, key) for key in keys),
        *(lambda slug=slug: withdraw(caller, slug) for slug in live),
        *(lambda job=job: cancel_job(caller, job) for job in open_jobs),
    ]
    for step in steps:
        with suppress(Conflict), scope(organisation_id):  # it ended by itself meanwhile
            step()


def dissolve(organisation_id: UUID) -> None:
    """Delete a closed organisation and all that it has. Raises Unavailable when the storage is
    away, or somebody reads the whole database for long; then it can be begun again."""
    _remove_jobs(organisation_id)
    _drop_shelves(organisation_id)
    _forget_live(organisation_id)
    storage.delete_all(organisation_id)
    _delete_rows(organisation_id)
    storage.delete_all(organisation_id)  # an upload may have been on its way


def _remove_jobs(organisation_id: UUID) -> None:
    while True:
        with scope(organisation_id):
            job = Job.objects.select_for_update().exclude(status__in=OPEN).first()
            if job is None:
                return
            remove(system(organisation_id), job, why="organisation deleted")


def _drop_shelves(organisation_id: UUID) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        with scope(organisation_id):
            drop_shelves()
            if not Shelf.objects.exists():
                return
        if time.monotonic() > until:
            raise Unavailable("Somebody reads the whole database (a backup?): run this again.")
        time.sleep(1)


def _forget_live(organisation_id: UUID) -> None:
    gone = AT_ONCE
    while gone == AT_ONCE:
        with scope(organisation_id), connection.cursor() as cursor:
            cursor.execute(_FORGET_LIVE, [organisation_id, AT_ONCE])
            gone = cursor.rowcount


def _delete_rows(organisation_id: UUID) -> None:
    """The rest at once. Only the tables' owner may: the audit log lets nobody else delete. Foreign
    keys are looked at in the end, so the order is none."""
    models = [model for model in apps.get_models() if issubclass(model, TenantModel)]
    tables = [model._meta.db_table for model in models if model is not JobRow]  # went with the jobs
    with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT set_config('berth.organisation', %s, true)", [str(organisation_id)])
        cursor.execute("ALTER TABLE portal_auditentry DISABLE TRIGGER portal_auditentry_frozen")
        for table in tables:
            cursor.execute(
                f"DELETE FROM {table} WHERE organisation_id = %s",  # noqa: S608  # ours
                [organisation_id],
            )
        cursor.execute("DELETE FROM portal_organisation WHERE id = %s", [organisation_id])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE portal_auditentry ENABLE TRIGGER portal_auditentry_frozen")
