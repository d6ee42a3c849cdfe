"""Prepare a database for Berth: it exists, and the application has a role that owns nothing.

Everything here may run again, and by several processes at once. Works on PostgreSQL 15 and
newer. The owner's role needs no superuser: it makes tables, and roles if it has to.
"""

from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

LOCK = 0x6265727468  # "berth", so that two of us don't alter one role at a time
OLDEST = 150000
PRIVILEGES = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    # Some belong to the owner and do for the application what only an owner may: they are closed
    # to everybody else.
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {role}",
)


class BootstrapFailed(RuntimeError):
    """The database can't be prepared. Its text is one sentence for the operator."""


def bootstrap(owner_url: str, app_url: str) -> None:
    """Make the database if it is missing, the application's role, and its privileges.

    ``owner_url``: the role that runs migrations. ``app_url``: the role to make, with the password
    that it shall have. Raises BootstrapFailed.
    """
    with _connected(owner_url) as connection:
        if connection.info.server_version < OLDEST:
            raise BootstrapFailed(
                f"DATABASE_URL leads to PostgreSQL {connection.info.server_version // 10000}:"
                " Berth needs 15 or newer."
            )
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            _role(connection, app_url)
            _grant(connection, str(conninfo_to_dict(app_url)["user"]))


def grant(owner_url: str, role: str, database: str) -> None:
    """Give ``role`` its privileges in another database of the same server."""
    with psycopg.connect(owner_url, dbname=database) as connection:
        _grant(connection, role)


def _connected(url: str) -> psycopg.Connection[Any]:
    """A connection to the URL's database, which is made when the server has none of its name."""
    try:
        return psycopg.connect(url, connect_timeout=10)
    except psycopg.OperationalError as error:
        if not _made(url):
            raise BootstrapFailed(_unreachable("DATABASE_URL", error)) from error
    return psycopg.connect(url, connect_timeout=10)


def _made(url: str) -> bool:
    """Whether the database was missing and is there now. False if something else is wrong."""
    name = str(conninfo_to_dict(url)["dbname"])
    try:
        connection = psycopg.connect(make_conninfo(url, dbname="postgres"), connect_timeout=10)
    except psycopg.OperationalError:
        return False
    with connection:
        connection.autocommit = True
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone():
            return False
        try:
            # A concurrent one that was faster has done the same.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                statement = "CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0"
                connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise BootstrapFailed(
                f"DATABASE_URL names a database {name!r} that does not exist, and its user may"
                f" not make it: run `CREATE DATABASE {name} OWNER …` as an administrator."
            ) from error
    return True


def _unreachable(variable: str, error: psycopg.Error) -> str:
    reason = (str(error).splitlines() or ["no reason given"])[0]
    return f"{variable} leads to no database that takes us ({reason}): check it and the server."


def _role(connection: psycopg.Connection[Any], app_url: str) -> None:
    parts = conninfo_to_dict(app_url)
    name, password = str(parts["user"]), str(parts.get("password") or "")
    if name == connection.info.user:
        raise BootstrapFailed(
            f"DATABASE_APP_URL names the user {name!r} of DATABASE_URL, who owns the tables:"
            " give the application a role of its own, or leave DATABASE_APP_URL out."
        )
    found = connection.execute(
        "SELECT rolsuper OR rolbypassrls, pg_has_role(rolname, current_user, 'MEMBER')"
        " FROM pg_roles WHERE rolname = %s",
        [name],
    ).fetchone()
    try:
        if found is None:
            _alter(connection, "CREATE ROLE {} LOGIN PASSWORD {}", name, password)
        elif any(found):
            raise BootstrapFailed(
                f"The role {name!r} could bypass row-level security: the application's role must"
                " be neither a superuser, nor BYPASSRLS, nor a member of the owner's role."
            )
        elif password and not _lets_in(app_url):
            _alter(connection, "ALTER ROLE {} LOGIN PASSWORD {}", name, password)
    except psycopg.errors.InsufficientPrivilege as error:
        raise BootstrapFailed(_may_not(name, connection.info.user)) from error


def _may_not(name: str, owner: str) -> str:
    return (
        f"DATABASE_URL's user {owner!r} may not make or change the application's role {name!r}:"
        f" run `ALTER ROLE {owner} CREATEROLE` as an administrator, or make a role that is"
        " neither superuser nor BYPASSRLS and set DATABASE_APP_URL to it."
    )


def _alter(connection: psycopg.Connection[Any], statement: str, name: str, password: str) -> None:
    text = sql.SQL(statement).format(sql.Identifier(name), sql.Literal(password or None))
    with connection.transaction():
        connection.execute(text)


def _lets_in(url: str) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=10).close()
        return True
    return False


def _grant(connection: psycopg.Connection[Any], role: str) -> None:
    for statement in PRIVILEGES:
        connection.execute(sql.SQL(statement).format(role=sql.Identifier(role)))
