"""The embedded servers for the duration of one command of ``manage.py``."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from portal.embedded import Postgres, Valkey
from portal.environment import Environment
from portal.occupancy import turn


def wanted(env: Environment) -> Sequence[Postgres | Valkey]:
    """The servers that no variable points elsewhere."""
    servers: list[Postgres | Valkey] = []
    if not os.environ.get("REDIS_URL", "").strip():
        servers.append(Valkey(env.home))
    if not os.environ.get("DATABASE_URL", "").strip():
        servers.append(Postgres(env.home))
    return servers


@contextmanager
def serving(env: Environment) -> Iterator[bool]:
    """Run what is wanted and not already run by a ``make run``. Yields whether we run PostgreSQL.

    Raises BadEnvironment, ChildFailed or Occupied.
    """
    servers = wanted(env)
    if not servers:
        yield False
        return
    with turn(env.home) as ours, ExitStack() as stack:
        if ours is None:
            yield False
            return
        for server in servers:
            stack.callback(server.stop)
            server.start()
        for server in servers:
            server.wait()
        yield any(isinstance(server, Postgres) for server in servers)
