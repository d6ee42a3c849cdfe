"""``/health/live`` and ``/health/ready``: no key, no session, the truth."""

from collections.abc import Callable

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

log = structlog.get_logger()
Check = Callable[[], str]


def live(request: HttpRequest) -> JsonResponse:
    """200 while this process can answer at all."""
    return JsonResponse({"live": True})


def database() -> str:
    """What is wrong with the database, or ""."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        # What it says may name hosts and accounts, and nobody has to sign in to read this.
        log.warning("database_not_ready", error=str(error))
        return "The database does not answer; the log says why."
    return ""


class _Migrations:
    """Whether the tables are those that this code was written for: once so, it stays so."""

    fit = False

    def __call__(self) -> str:
        if self.fit:
            return ""
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError:
            return "The state of the tables is unknown."
        self.fit = not plan
        return "Migrations are missing: run `manage.py prepare`." if plan else ""


migrations = _Migrations()


def broker() -> str:
    """What is wrong with Valkey, or ""."""
    try:
        with redis.Redis.from_url(settings.ENV.redis_url, socket_timeout=1) as client:
            client.ping()
    except redis.RedisError as error:
        log.warning("valkey_not_ready", error=str(error))
        return "Valkey does not answer; the log says why."
    return ""


def ready_view(
    checks: dict[str, Check], facts: dict[str, Callable[[], object]]
) -> Callable[[HttpRequest], JsonResponse]:
    """``/health/ready`` over the named checks: 503 with what is missing, or 200 with the facts
    that are good to know and no reason to turn anybody away."""

    def ready(request: HttpRequest) -> JsonResponse:
        missing = {name: wrong for name, check in checks.items() if (wrong := check())}
        told = {} if missing else {name: fact() for name, fact in facts.items()}
        body = {"ready": not missing, "missing": missing, **told}
        return JsonResponse(body, status=503 if missing else 200)

    return ready
