"""Wall two, as migration operations: row-level security and foreign keys that can't cross over.

The policy compares ``organisation_id`` with a transaction-local variable; unset, it is NULL and
no row matches. FORCE holds the table's owner to it too. A plain foreign key is checked by
PostgreSQL without row security and so accepts another organisation's row: the composite one
made here, over ``(organisation_id, …)``, does not.
"""

from django.db import migrations

TENANT = "nullif(current_setting('berth.organisation', true), '')::uuid"
BEARER = "nullif(current_setting('berth.bearer', true), '')"
DISPATCHER = "current_setting('berth.dispatcher', true) = 'on'"
RELAY = "current_setting('berth.relay', true) = 'on'"


def isolate(
    table: str,
    *,
    references: dict[str, str] | None = None,
    bearer: str | None = None,
    dispatched: bool = False,
    column: str = "organisation_id",
    referable: bool = True,
) -> migrations.RunSQL:
    """Wall a table in.

    ``references``: this table's foreign-key columns -> the tenant tables they point at (each
    isolated before, and ``referable``). ``bearer``: the column whose holder may SELECT the row
    before the organisation is known. ``dispatched``: the dispatcher may see and stamp it.
    """
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING ({column} = {TENANT})"
        f" WITH CHECK ({column} = {TENANT})",
    ]
    if bearer:
        statements.append(
            f"CREATE POLICY bearer ON {table} FOR SELECT USING ({bearer}::text = {BEARER})"
        )
    if dispatched:
        statements.append(
            f"CREATE POLICY dispatcher ON {table} USING ({DISPATCHER}) WITH CHECK ({DISPATCHER})"
        )
    if referable and column == "organisation_id":
        statements.append(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_own UNIQUE (organisation_id, id)"
        )
    return migrations.RunSQL(
        ";\n".join(statements + _own_keys(table, references or {})), migrations.RunSQL.noop
    )


def relayed(table: str) -> migrations.RunSQL:
    """Whoever opens the ``relay`` gate may SELECT every organisation's rows."""
    return migrations.RunSQL(
        f"CREATE POLICY relay ON {table} FOR SELECT USING ({RELAY})",
        f"DROP POLICY relay ON {table}",
    )


def as_owner(table: str, statement: str) -> migrations.RunSQL:
    """A statement over all organisations' rows of a table: the wall is open to the owner for as
    long as it takes, within the migration's transaction."""
    return migrations.RunSQL(
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;\n{statement};\n"
        f"SET CONSTRAINTS ALL IMMEDIATE;\nALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        migrations.RunSQL.noop,
    )


def own_references(table: str, references: dict[str, str]) -> migrations.RunSQL:
    """Only the composite foreign keys: for two tables that point at each other."""
    return migrations.RunSQL(";\n".join(_own_keys(table, references)), migrations.RunSQL.noop)


def _own_keys(table: str, references: dict[str, str]) -> list[str]:
    return [
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{key}_own"
        f" FOREIGN KEY (organisation_id, {key}) REFERENCES {target} (organisation_id, id)"
        " DEFERRABLE INITIALLY DEFERRED"
        for key, target in references.items()
    ]


def frozen(table: str, when: str, sentence: str, *, verbs: str = "UPDATE") -> migrations.RunSQL:
    """A trigger that refuses ``verbs`` on rows for which ``when`` (over OLD, NEW) is true."""
    name = f"{table}_frozen"
    return migrations.RunSQL(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {when} THEN
                RAISE EXCEPTION '{sentence}' USING ERRCODE = 'restrict_violation';
            END IF;
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER {name} BEFORE {verbs} ON {table}
            FOR EACH ROW EXECUTE FUNCTION {name}();
        """,
        f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}()",
    )
