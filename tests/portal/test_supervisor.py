"""``make run``: one process starts everything, mends what dies, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it comes without types
import pytest

from tests.instance import ROOT, Instance, clean_environ, wait_for


@pytest.fixture
def berth() -> Iterator[Instance]:
    made = Instance()
    yield made
    made.remove()


def refusal(home: Path, **variables: str) -> str:
    """What a start that fails says. It has to be one line."""
    done = subprocess.run(
        [sys.executable, "-m", "portal.supervisor"],
        cwd=ROOT,
        env=clean_environ(home, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_busy_port_is_one_sentence_that_offers_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} is in use" in (said := refusal(tmp_path, PORT=str(port)))
        assert "PORT=8001 make run" in said


def test_an_unwritable_home_is_one_sentence() -> None:
    assert "BERTH_HOME is '/proc/berth'" in refusal(Path("/proc/berth"))


def test_a_wrong_variable_is_one_sentence(tmp_path: Path) -> None:
    assert "PORT is 'x'" in refusal(tmp_path, PORT="x")
    assert "DATABASE_URL" in refusal(tmp_path, DATABASE_URL="mysql://x")


def test_an_address_that_is_not_ours_is_one_sentence(tmp_path: Path) -> None:
    assert "HOST is '192.0.2.1'" in refusal(tmp_path, HOST="192.0.2.1")


def test_an_organisation_can_be_made_beside_a_running_berth(instance: Instance) -> None:
    made = instance.create_organisation("acme", "alice@acme.example")
    assert set(made) == {"organisation", "owner", "secret_key", "publishable_key"}
    request = urllib.request.Request(
        f"{instance.base_url}/api/v1/models",
        headers={"Authorization": f"Bearer {made['secret_key']}"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_an_organisation_can_be_made_where_nothing_runs(berth: Instance) -> None:
    done = berth.manage(
        *("create_organisation", "acme", "--name", "Acme", "--json"),
        *("--owner", "alice@acme.example", "--password", "a long enough password"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('{"organisation"')


@pytest.mark.parametrize("program", ["postgres", "valkey"])
def test_a_server_that_is_killed_is_started_again(instance: Instance, program: str) -> None:
    killed = instance.server(program)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: "starting it again" in instance.printed.read_text(), 10, "the death is told")
    wait_for(lambda: running(instance, program) not in (None, killed), 20, f"{program} is back")
    wait_for(instance.is_ready, 60, "the portal is ready again")


def running(instance: Instance, program: str) -> int | None:
    with suppress(StopIteration, psutil.NoSuchProcess):
        return instance.server(program)
    return None


def test_a_web_process_that_is_killed_is_replaced(instance: Instance) -> None:
    before = instance.web_workers()
    os.kill(before[0], signal.SIGKILL)
    wait_for(
        lambda: len(set(instance.web_workers()) - {before[0]}) == len(before), 30, "a new process"
    )
    wait_for(instance.is_ready, 30, "the portal is ready")


def test_sigterm_leaves_no_process_and_a_second_start_prepares_nothing(berth: Instance) -> None:
    berth.start()
    assert "Preparing the database" in berth.printed.read_text()
    processes = berth.processes()
    assert len(processes) > 8
    berth.stop()
    assert [left for left in processes if left.is_running()] == []
    berth.start()
    assert "Preparing the database" not in berth.printed.read_text()


def test_kill_9_of_the_supervisor_leaves_no_process(berth: Instance) -> None:
    berth.start()
    processes = berth.processes()
    os.kill(processes[0].pid, signal.SIGKILL)
    assert berth.process is not None
    berth.process.wait()
    wait_for(lambda: not any(left.is_running() for left in processes), 20, "all are gone")
