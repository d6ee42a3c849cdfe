"""``manage.py delete_organisation``: nothing of it is left, and nobody else notices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client

from models_hub.models import Version
from portal import tenancy
from portal.models import AuditEntry, Organisation
from portal.tenancy import TenantModel
from tests.cast import Cast
from tests.workers.conftest import table
from workers import batch, claims, dissolution, purging, shelves
from workers.models import Chunk, JobRow
from workers.splitting import split
from workers.tasks import sweep, tidy

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
Run = Callable[..., Any]


def csv() -> bytes:
    data: bytes = table(40).to_csv(index=False).encode()
    return data


def delete(slug: str = "acme") -> None:
    call_command("delete_organisation", slug, grace=0)


def rows_left(cast: Cast) -> dict[str, int]:
    """How many rows of Acme each table still has, by the tables' owner."""
    left = {}
    for model in apps.get_models():
        if issubclass(model, TenantModel):
            with tenancy.scope(cast.acme.pk):
                left[model._meta.db_table] = model.objects.count()
    return {name: count for name, count in left.items() if count}


def test_nothing_is_left_of_a_deleted_organisation(
    run: Run, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(csv(), key="id")
    monkeypatch.setattr(shelves, "OWN_SHELF_ROWS", 40)
    run(csv(), key="id")
    with tenancy.scope(cast.other.pk):
        theirs = AuditEntry.objects.count()
    delete()
    assert rows_left(cast) == {}
    assert not Path(default_storage.path(str(cast.acme.pk))).exists()
    with tenancy.scope(cast.acme.pk):
        assert not Organisation.objects.exists()
    with tenancy.scope(cast.other.pk):
        assert AuditEntry.objects.count() == theirs
        assert Organisation.objects.exists()
    with pytest.raises(CommandError, match="no such organisation"):
        delete()


def test_deleted_during_its_job_it_leaves_the_workers_at_peace(
    submit: Run, cast: Cast, salary: Version
) -> None:
    submit(csv(), key="id")
    with tenancy.scope(cast.acme.pk):
        chunk = claims.claim()
    assert chunk is not None
    claims.start(chunk)
    split(chunk, float("inf"))
    with tenancy.scope(cast.acme.pk):
        late = claims.claim()
    assert late is not None
    delete()
    with pytest.raises(claims.Overtaken), claims.owned(late):
        pass
    claims.give_back(late, counts=True)
    for task in (batch.drain, purging.drain, sweep, tidy):
        task()
    assert rows_left(cast) == {}
    assert not Path(default_storage.path(str(cast.acme.pk))).exists()


@pytest.mark.parametrize("step", ["_remove_jobs", "_drop_shelves", "_forget_live", "_delete_rows"])
def test_killed_at_any_step_it_is_begun_again(
    step: str, run: Run, api: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "OWN_SHELF_ROWS", 40)
    run(csv(), key="id")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dissolution, step, dies)
        with pytest.raises(KeyboardInterrupt):
            delete()
    with tenancy.scope(cast.acme.pk):
        assert Organisation.objects.exists()
    delete()
    assert rows_left(cast) == {}


def test_the_audit_log_is_closed_again_afterwards(run: Run, cast: Cast) -> None:
    delete()
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT tgenabled FROM pg_trigger WHERE tgname = 'portal_auditentry_frozen'")
        assert cursor.fetchone() == ("O",)
    with tenancy.scope(cast.other.pk):
        assert not Chunk.objects.exists()
        assert not JobRow.objects.exists()
