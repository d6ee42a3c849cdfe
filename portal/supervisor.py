"""``make run``: one foreground process that starts, watches and ends everything else."""

import argparse
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from types import FrameType
from typing import Any

from portal import environment, guard, prepared
from portal.children import Child, ChildFailed, wait_until
from portal.embedded import Postgres, Valkey
from portal.environment import BadEnvironment, Environment
from portal.occupancy import Occupied, turn
from portal.serving import wanted

READY_SECONDS = 90.0
PREPARE_SECONDS = 600.0
STEADY_SECONDS = 60.0
LONGEST_PAUSE = 30.0
SANDBOX_SECONDS = 15.0
SANDBOX = {
    "bubblewrap": "Uploads are opened in a sandbox: bubblewrap.",
    "landlock": "Uploads are opened in a sandbox: landlock, the weaker form. For production"
    " install bubblewrap; see docs/sandbox.md.",
    "none": "There is no sandbox here, so only ONNX files are accepted; see docs/sandbox.md.",
    "unknown": "No worker has tried the sandbox yet; until then only ONNX files are accepted.",
}


class Stopped(BaseException):
    """SIGINT or SIGTERM came. Not an Exception, so that no handler of errors swallows it."""


class Watched:
    """A child that is started again when it ends by itself, later and later if it keeps ending."""

    def __init__(self, child: Child, start: Callable[[Child], None]) -> None:
        self.child, self.start = child, start
        self.pause = 1.0
        self.started = time.monotonic()
        self.due: float | None = None

    def look(self, now: float) -> str | None:
        """Start it again if it is time to. Returns what happened, for the operator."""
        if self.child.alive:
            return None
        if self.due is None:
            return self._schedule(now)
        if now >= self.due:
            self.due, self.started = None, now
            self.start(self.child)
        return None

    def _schedule(self, now: float) -> str:
        self.child.sweep()
        if now - self.started > STEADY_SECONDS:
            self.pause = 1.0
        self.due, pause = now + self.pause, self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE)
        return (
            f"{self.child.name} ended ({self.child.ending}); starting it again in {pause:.0f} s."
            f" Its log: {self.child.log}"
        )


class Supervisor:
    """Everything that one Berth runs on one machine."""

    def __init__(self, env: Environment, *, demo: bool) -> None:
        self.env, self.demo = env, demo
        self.servers: Sequence[Postgres | Valkey] = []
        self.programs: list[Child] = []
        self.stopping = False
        self.started = 0.0
        self.guard: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Start, say where, and watch until a signal comes."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            assert_free(self.env.host, self.env.port)
            with turn(self.env.home, stays=True) as open_to_others:
                assert open_to_others is not None
                self._set_guard()
                self._start_servers()
                note = self._prepare()
                open_to_others()
                self._start_programs()
                self._announce(note)
                self._watch()
        except Stopped:
            say("Stopping.")
        finally:
            self.stopping = True
            self._stop()

    def _set_guard(self) -> None:
        """Its input ends when we do, and no child inherits the other end."""
        self.guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _guard(self, child: Child) -> None:
        if self.guard and self.guard.stdin:
            self.guard.stdin.write(f"{child.pid}\n".encode())
            self.guard.stdin.flush()

    def _start(self, child: Child) -> None:
        child.start()
        self._guard(child)

    def _start_servers(self) -> None:
        self.servers = wanted(self.env)
        for server in self.servers:
            server.start()
            if server.child:
                self._guard(server.child)
        for server in self.servers:
            server.wait()

    def _prepare(self) -> prepared.Prepared | None:
        """Role, tables and demo: a note of an earlier start spares all of it."""
        embedded = any(isinstance(server, Postgres) for server in self.servers)
        note = prepared.read(self.env.home) if embedded else None
        if note and (note.sign_in or not self.demo):
            return note
        say("Preparing the database.")
        options = [] if self.demo else ["--no-demo"]
        child = self._child("prepare", ["manage.py", "prepare", *options])
        self.programs = [child]
        self._start(child)
        if child.wait(PREPARE_SECONDS) != 0:
            raise ChildFailed(f"The database can't be prepared. {child.log} ends:\n{child.tail()}")
        return prepared.read(self.env.home)

    def _start_programs(self) -> None:
        env = self.env
        web = ["-m", "granian", "--interface", "wsgi", "--host", env.host, "--port", str(env.port)]
        web += ["--workers", str(env.web_workers), "--respawn-failed-workers", "--no-ws"]
        # Threads are made when all others are busy. Most wait for somebody outside; how many
        # work is what `portal.permits` says.
        web += ["--blocking-threads", "256"]
        web += ["--workers-kill-timeout", "4", "portal.wsgi:application"]
        celery = ["-m", "celery", "-A", "workers.celery", "worker"]
        quiet = ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        worker = ["--queues", "control,batch,outside", "--concurrency", "2", *quiet]
        # Journals are loaded however long the files are that the worker is at.
        loader = ["--queues", "load", "--pool", "solo", *quiet]
        loader += ["--hostname", "loader@%h"]
        # A process of its own, since a scheduler inside a worker is not started anew when it dies.
        beat = ["-m", "celery", "-A", "workers.scheduler", "beat"]
        beat += ["--loglevel", "WARNING", "--pidfile="]
        self.programs = [
            self._child("web", web),
            self._child("beat", beat, patience=2.0),
            self._child("loader", [*celery, *loader], patience=2.0),
            # A warm shutdown lets a task end; a cold one leaves it to whoever comes next.
            self._child("worker", [*celery, *worker], (signal.SIGTERM, signal.SIGQUIT), 4.0),
        ]
        if env.kafka_bootstrap_servers:
            self.programs.append(self._child("relay", ["manage.py", "relay"]))
        for behind in self.programs[1:]:  # on one machine, live answers go before files
            behind.niceness = 5
        self.started = time.monotonic()
        first, *others = self.programs
        self._start(first)
        # Few processors can't import everything at once: who answers people comes first.
        wait_until(lambda: is_live(self.address), first, READY_SECONDS, 0.05)
        for child in others:
            self._start(child)
        wait_until(lambda: is_ready(self.address), first, READY_SECONDS, 0.1)

    def _child(
        self,
        name: str,
        arguments: Sequence[str],
        signals: Sequence[signal.Signals] = (signal.SIGTERM,),
        patience: float = 6.0,
    ) -> Child:
        env = self.env
        environ = {
            **os.environ,
            "BERTH_HOME": str(env.home),
            "DATABASE_URL": env.database_url,
            "DATABASE_APP_URL": env.database_app_url,
            "REDIS_URL": env.redis_url,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONUNBUFFERED": "1",
            # Celery would run Django's checks in each of its processes, for which it imports every
            # view; they are about the code, and `make check` has run them.
            "CELERY_SKIP_CHECKS": "1",
        }
        return Child(
            name,
            [sys.executable, *arguments],
            log=env.home / "logs" / f"{name}.log",
            environ=environ,
            signals=signals,
            patience=patience,
            folder=prepared.ROOT,
        )

    @property
    def address(self) -> str:
        """What to type into a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.env.host, self.env.host)  # noqa: S104  (compared, not bound)
        return f"http://{host}:{self.env.port}"

    def _announce(self, note: prepared.Prepared | None) -> None:
        self._sandbox(since=-inf)  # until some worker has told, uploads are turned away
        say(f"Ready at {self.address}")
        if self.demo and note and note.sign_in:
            say(f"Sign in to the demo as {note.sign_in}")
        say(self._sandbox(since=self.started))
        say(f"Logs are in {self.env.home / 'logs'}. Ctrl-C stops everything.")

    def _sandbox(self, since: float) -> str:
        """What uploads are opened in, as a worker found out no earlier than `since`."""
        end = time.monotonic() + SANDBOX_SECONDS
        while time.monotonic() < end:
            found = readiness(self.address).get("sandbox", {})
            if found.get("form") and time.monotonic() - found["age"] >= since:
                return SANDBOX.get(found["form"], SANDBOX["none"])
            time.sleep(0.1)
        return SANDBOX["unknown"]

    def _watch(self) -> None:
        servers = [Watched(server.child, self._start) for server in self.servers if server.child]
        watched = [*servers, *(Watched(child, self._start) for child in self.programs)]
        while True:
            for one in watched:
                event = one.look(time.monotonic())
                if event:
                    say(event)
            time.sleep(0.3)

    def _stop(self) -> None:
        for child in self.programs:
            child.ask_to_stop()
        for child in self.programs:
            child.stop()
        for server in self.servers:  # Valkey, then PostgreSQL
            server.stop()
        if self.guard and self.guard.stdin:
            self.guard.stdin.close()
            self.guard.wait()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.stopping:
            self.stopping = True
            raise Stopped
        if number == signal.SIGINT:
            say("Killing what is left.")
            for child in [*self.programs, *(s.child for s in self.servers if s.child)]:
                child.sweep()


def assert_free(host: str, port: int) -> None:
    """Raise BadEnvironment if nobody could listen on ``host:port`` now."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            advice = f"Port {port} is in use: choose another, for example `PORT=8001 make run`."
        elif error.errno == errno.EACCES:
            advice = f"PORT is {port}, which this user may not open: choose one from 1024 up."
        else:
            advice = f"HOST is {host!r}, which is no address of this machine: set it to one."
        raise BadEnvironment(advice) from error


def is_live(address: str) -> bool:
    """Whether ``/health/live`` answers."""
    with (
        suppress(urllib.error.URLError, OSError),
        urllib.request.urlopen(f"{address}/health/live", timeout=5),  # noqa: S310  (our own)
    ):
        return True
    return False


def is_ready(address: str) -> bool:
    """Whether ``/health/ready`` answers 200."""
    return bool(readiness(address).get("ready"))


def readiness(address: str) -> dict[str, Any]:
    """What ``/health/ready`` says with 200; nothing until then."""
    request = urllib.request.Request(f"{address}/health/ready")  # noqa: S310  (our own address)
    with (
        suppress(urllib.error.URLError, OSError, ValueError),
        urllib.request.urlopen(request, timeout=5) as answer,  # noqa: S310
    ):
        said: dict[str, Any] = json.load(answer)
        return said
    return {}


def say(text: str) -> None:
    """One line for the operator."""
    with suppress(OSError):  # the terminal may be gone; the children still have to be ended
        print(f"berth: {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m portal.supervisor", description=__doc__)
    parser.add_argument("--no-demo", action="store_true", help="seed no demo organisation")
    arguments = parser.parse_args()
    os.umask(0o077)  # uploads, journals and logs are nobody else's business
    try:
        env = environment.load()
        Supervisor(env, demo=not (arguments.no_demo or env.production)).run()
    except (BadEnvironment, ChildFailed, Occupied) as error:
        print(f"berth: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
