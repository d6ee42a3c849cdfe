"""pytest plugin: PostgreSQL and Valkey of this test session, and the variables that name them.

Loaded by ``-p tests.services``, so that the variables are set before Django reads its settings;
the servers themselves start with the session. Under pytest-xdist each worker has its own; the
process above them runs no test and starts none.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from portal import bootstrap, environment
from portal.embedded import Postgres, Valkey

# Fixtures for everybody: `require`, `instance` and `kafka`.
pytest_plugins = ["tests.programs", "tests.instance", "tests.kafka.broker"]

OURS = [variable.name for variable in environment.VARIABLES]


class Services:
    """Both servers in a folder of their own."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="berth-tests-"))
        self.home.chmod(0o711)  # run by root, PostgreSQL is another user and passes through
        self.postgres = Postgres(self.home, durable=False)
        self.valkey = Valkey(self.home)

    def set_variables(self) -> None:
        """Whatever the person who runs the tests has set does not count."""
        for name in OURS:
            os.environ.pop(name, None)
        os.environ.update(BERTH_HOME=str(self.home), SECRET_KEY=secrets.token_urlsafe(48))
        env = environment.load()
        os.environ.update(
            DATABASE_URL=env.database_url,
            DATABASE_APP_URL=env.database_app_url,
            REDIS_URL=env.redis_url,
            ALLOWED_HOSTS="localhost,127.0.0.1,[::1],testserver",
        )

    def start(self) -> None:
        self.valkey.start()
        self.postgres.start()
        self.valkey.wait()
        self.postgres.wait()
        env = environment.load()
        bootstrap.bootstrap(env.database_url, env.database_app_url)
        # Django makes its test database out of this one, and the privileges come along.
        role = str(conninfo_to_dict(env.database_app_url)["user"])
        bootstrap.grant(env.database_url, role, "template1")

    def stop(self) -> None:
        self.postgres.stop()
        self.valkey.stop()
        shutil.rmtree(self.home, ignore_errors=True)


_services: Services | None = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """As a wrapper it runs before pytest-django, whose hook reads the settings."""
    global _services
    _services = Services()
    _services.set_variables()
    # xdist's workers do not read `addopts`, and would find this plugin only after the settings.
    os.environ["PYTEST_PLUGINS"] = __name__
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """The test database goes with its server, so pytest-django need not drop it."""
    config.option.reuse_db = True


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    only_above = bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")
    if _services is not None and not config.option.collectonly and not only_above:
        _services.start()


def pytest_unconfigure() -> None:
    if _services is not None:
        _services.stop()
