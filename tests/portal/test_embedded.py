"""PostgreSQL and Valkey as our children: they survive kill -9, and never outlive us."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from portal import bootstrap, environment, sockets
from portal.embedded import Postgres, Valkey
from portal.environment import BadEnvironment
from portal.occupancy import Occupied, turn
from tests.instance import new_home, wait_for

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def home() -> Iterator[Path]:
    made = new_home()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def postgres(home: Path) -> Iterator[Postgres]:
    server = Postgres(home)
    server.start()
    server.wait()
    yield server
    server.stop()


def owner_url(home: Path) -> str:
    return environment.load({"BERTH_HOME": str(home)}).database_url


def kill(server: Postgres | Valkey) -> None:
    assert server.child is not None
    os.kill(server.child.pid, signal.SIGKILL)
    server.child.wait(5)


def test_postgres_restarts_after_kill_9_with_what_was_committed(postgres: Postgres) -> None:
    with psycopg.connect(owner_url(postgres.home)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    kill(postgres)
    assert not postgres.listening
    postgres.start()
    postgres.wait()
    with psycopg.connect(owner_url(postgres.home)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_postgres_restarts_though_its_old_process_id_is_somebody_elses(postgres: Postgres) -> None:
    kill(postgres)
    account = postgres.account
    sleeper = subprocess.Popen(["sleep", "60"], user=account[0] if account else None)
    try:
        for path in (
            postgres.data / "postmaster.pid",
            sockets.postgres_socket(postgres.home) / ".s.PGSQL.5432.lock",
        ):
            lines = path.read_text().splitlines()
            path.write_text("\n".join([str(sleeper.pid), *lines[1:]]) + "\n")
        postgres.start()
        postgres.wait()
    finally:
        sleeper.kill()
        sleeper.wait()


def test_the_owner_of_the_embedded_database_is_no_superuser(postgres: Postgres) -> None:
    with psycopg.connect(owner_url(postgres.home)) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (False, False)


def test_the_applications_role_may_write_but_owns_nothing(postgres: Postgres) -> None:
    env = environment.load({"BERTH_HOME": str(postgres.home)})
    for _ in range(2):
        bootstrap.bootstrap(env.database_url, env.database_app_url)
    with psycopg.connect(env.database_url) as owner:
        owner.execute("CREATE TABLE later (id bigserial PRIMARY KEY)")
    with psycopg.connect(env.database_app_url) as app:
        app.execute("INSERT INTO later DEFAULT VALUES")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DROP TABLE later")


def test_a_missing_database_is_made(postgres: Postgres) -> None:
    owner = owner_url(postgres.home).removesuffix("/berth") + "/another"
    app = owner.replace("berth@", "another_app@")
    bootstrap.bootstrap(owner, app)
    with psycopg.connect(app) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("another_app",)


def test_an_owner_who_may_not_make_roles_is_told_what_to_do(postgres: Postgres) -> None:
    url = owner_url(postgres.home)
    with psycopg.connect(url, user="postgres") as admin:
        admin.execute("CREATE ROLE modest LOGIN")
    with pytest.raises(bootstrap.BootstrapFailed, match="ALTER ROLE modest CREATEROLE"):
        bootstrap.bootstrap(
            url.replace("berth@", "modest@"), url.replace("berth@", "modest_app:x@")
        )


def test_a_role_that_bypasses_the_walls_is_refused(postgres: Postgres) -> None:
    url = owner_url(postgres.home)
    with pytest.raises(bootstrap.BootstrapFailed, match="could bypass row-level security"):
        bootstrap.bootstrap(url, url.replace("berth@", "postgres@"))


def test_an_unreachable_database_is_one_sentence() -> None:
    url = "postgresql://u:hunter2@127.0.0.1:1/d"
    with pytest.raises(bootstrap.BootstrapFailed) as caught:
        bootstrap.bootstrap(url, url.replace("u:", "d_app:"))
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_valkey_keeps_its_lists_over_kill_9(home: Path) -> None:
    server = Valkey(home)
    for round_ in (1, 2):
        server.start()
        server.wait()
        with redis.Redis(unix_socket_path=str(sockets.valkey_socket(home))) as client:
            assert client.rpush("list", "bell") == round_
        time.sleep(1.5)  # the file is synced every second
        kill(server)


def test_a_home_too_long_for_sockets_works(home: Path) -> None:
    deep = home / ("a long name, with a comma" * 3) / ("another " * 10)
    deep.mkdir(parents=True)
    servers: list[Postgres | Valkey] = [Postgres(deep), Valkey(deep)]
    try:
        for server in servers:
            server.start()
            server.wait()
            assert server.listening
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(sockets.folder(deep))


@pytest.mark.skipif(not AS_ROOT, reason="only root lends PostgreSQL another user")
def test_below_a_closed_folder_root_is_told_to_choose_another_home(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    inside = closed / "var"
    inside.mkdir()
    with pytest.raises(BadEnvironment, match=f"BERTH_HOME lies in {closed}"):
        Postgres(inside).start()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_servers_end_with_a_parent_that_is_killed(home: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from portal.embedded import Postgres, Valkey\n"
        "servers = [Postgres(Path(sys.argv[1])), Valkey(Path(sys.argv[1]))]\n"
        "[(s.start(), s.wait()) for s in servers]; print('up', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(
        lambda: not (Postgres(home).listening or Valkey(home).listening), 15, "both servers ended"
    )


def test_a_second_make_run_in_one_home_is_refused(home: Path) -> None:
    with (
        turn(home, stays=True),
        pytest.raises(Occupied, match="already runs"),
        turn(home, stays=True),
    ):
        pass


def test_a_command_uses_the_servers_of_a_running_make_run(home: Path) -> None:
    with turn(home, stays=True) as open_to_others:
        assert open_to_others is not None
        open_to_others()
        with turn(home) as ours:
            assert ours is None
    with turn(home) as ours:
        assert ours is not None
