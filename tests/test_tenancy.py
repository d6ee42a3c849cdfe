"""Two walls and a door: what belongs to one organisation does not exist for another."""

import uuid
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, connections

from models_hub.actions import create_model
from models_hub.models import HostedModel, Version
from portal import tenancy
from portal.access import system
from portal.models import ApiKey, AuditEntry, Membership, Organisation
from portal.tenancy import OutsideTenant, TenantModel
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def tenant_tables() -> list[str]:
    models = [model for model in apps.get_models() if issubclass(model, TenantModel)]
    return sorted([*(model._meta.db_table for model in models), "portal_organisation"])


def test_wall_one_raises_where_no_organisation_is_in_scope(cast: Cast) -> None:
    with pytest.raises(OutsideTenant):
        HostedModel.objects.count()
    with pytest.raises(OutsideTenant):
        ApiKey.gate.count()


def test_wall_one_raises_when_a_second_organisation_is_entered(cast: Cast) -> None:
    with (
        tenancy.scope(cast.acme.pk),
        pytest.raises(OutsideTenant),
        tenancy.scope(cast.other.pk),
    ):
        pass


def test_the_application_connects_as_a_role_that_owns_and_bypasses_nothing(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles"
            " WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, False, False)
        cursor.execute("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("table", tenant_tables())
def test_wall_two_is_enabled_and_forced_on(table: str, cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = %s", [table]
        )
        assert cursor.fetchone() == (True, True)


@pytest.mark.parametrize("table", tenant_tables())
def test_raw_sql_without_a_tenant_sees_no_row_of(table: str, cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (0,)


def test_raw_sql_in_one_organisation_sees_no_row_of_another(cast: Cast) -> None:
    with tenancy.scope(cast.other.pk):
        create_model(system(cast.other.pk), "secret", "Secret")
    with tenancy.scope(cast.acme.pk), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM models_hub_hostedmodel")
        assert cursor.fetchone() == (0,)
        cursor.execute("UPDATE models_hub_hostedmodel SET name = 'stolen'")
        assert cursor.rowcount == 0


def test_a_row_cannot_be_written_into_another_organisation(cast: Cast) -> None:
    with pytest.raises(DatabaseError, match="row-level security"), tenancy.scope(cast.acme.pk):
        HostedModel(organisation=cast.other, slug="x", name="X", created_by="x").save()


def refer_to(theirs: HostedModel) -> None:
    """A version of another organisation's model, with the constraints asked at once."""
    Version.objects.create(
        model=theirs, number=1, format="onnx", filename="x", sha256="0", size=1, created_by="x"
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_foreign_key_cannot_point_at_another_organisations_row(cast: Cast) -> None:
    with tenancy.scope(cast.other.pk):
        theirs = create_model(system(cast.other.pk), "theirs", "Theirs")
    with pytest.raises(IntegrityError, match="_own"), tenancy.scope(cast.acme.pk):
        refer_to(theirs)


def foreign_keys_between_tenant_tables() -> Iterator[tuple[str, str]]:
    tenants = [model for model in apps.get_models() if issubclass(model, TenantModel)]
    for model in tenants:
        for field in model._meta.local_fields:
            if field.is_relation and field.related_model in tenants:
                yield model._meta.db_table, str(field.column)


@pytest.mark.parametrize(("table", "column"), list(foreign_keys_between_tenant_tables()))
def test_each_foreign_key_is_bound_to_its_own_organisation(
    table: str, column: str, cast: Cast
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE conname = %s AND contype = 'f'",
            [f"{table}_{column}_own"],
        )
        assert cursor.fetchone() == (1,)


def test_the_tenant_of_one_transaction_is_gone_in_the_next(cast: Cast) -> None:
    with tenancy.scope(cast.acme.pk):
        assert Membership.objects.count() == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('berth.organisation', true)")
        assert not cursor.fetchone()[0]


def test_a_proof_shows_the_proven_row_and_no_other(cast: Cast) -> None:
    with tenancy.bearer(cast.alice.pk):
        shown = set(Membership.gate.values_list("user_id", flat=True))
        names = set(Organisation.objects.values_list("name", flat=True))
    assert shown == {cast.alice.pk}
    assert names == {"Acme"}
    with tenancy.bearer(uuid.uuid4()):
        assert not Membership.gate.exists()


def test_an_audit_entry_can_be_neither_changed_nor_deleted(cast: Cast) -> None:
    for sql in ("UPDATE portal_auditentry SET actor = 'x'", "DELETE FROM portal_auditentry"):
        with (
            pytest.raises(DatabaseError, match="never change"),
            tenancy.scope(cast.acme.pk),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
    with tenancy.scope(cast.acme.pk):
        assert AuditEntry.objects.exists()


def test_the_owner_of_the_tables_is_another_role(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        application = cursor.fetchone()
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() != application
