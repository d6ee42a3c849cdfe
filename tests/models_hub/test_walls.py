"""Code from a stranger, run in each form of the sandbox: what it tries fails, and it ends."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it comes without types
import pytest

from models_hub.formats import Refused
from models_hub.sandbox import Limits, frames, layout
from models_hub.sandbox.forms import Form
from models_hub.sandbox.process import ENVIRONMENT, Child
from tests.instance import ROOT, wait_for
from tests.models_hub.conftest import INSIDE, Probe

HARMLESS = {"LC_CTYPE", "PWD", "KMP_DUPLICATE_LIB_OK"}


def tell(expression: str) -> str:
    return f"frames.write_json(pipe, {{'told': {expression}}})"


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What an attacker would like to reach: files that everybody may read and write, servers, and
    us. Without walls each attempt on them would succeed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        code, open_folder = folder / "code", folder / "open"
        for path in (folder, code, open_folder):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
        for path in (folder / "secret", open_folder / "there", code / "module.py"):
            path.write_text("a secret")
            path.chmod(0o666)
        (code / "link").symlink_to(folder / "secret")
        monkeypatch.setattr(layout, "CODE", (*layout.CODE, code))
        names = {"unix": str(folder / "socket"), "abstract": f"berth-{secrets.token_hex(8)}"}
        for address in (names["unix"], "\0" + names["abstract"]):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(address)
            server.listen()
        Path(names["unix"]).chmod(0o666)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield {
            **names,
            "tcp": tcp.getsockname(),
            "outside": str(folder),
            "code": str(code),
            "checkout": str(ROOT),
            "parent": os.getpid(),
            "python": sys.executable,
        }


def test_whatever_code_tries_fails(form: Form, inside: Path, outside: dict[str, Any]) -> None:
    with Child("attempts", outside, Limits(), form) as child:
        ((_, payload),) = child.messages()
    told = frames.parse(payload)
    assert len(told) > 60
    assert {name: how for name, how in told.items() if how == "done"} == {}
    there = {path.name for path in Path(outside["outside"], "open").iterdir()}
    assert there == {"there"}
    for name in ("secret", "open/there", "code/module.py"):
        assert Path(outside["outside"], name).read_text() == "a secret"


def test_it_is_nobody_that_anybody_knows(probe: Probe) -> None:
    (answer,) = probe(tell("[*os.getresuid(), *os.getresgid(), *os.getgroups()]"))
    assert 0 not in answer["told"]
    if os.geteuid() == 0:
        (another,) = probe(tell("[*os.getresuid(), *os.getresgid(), *os.getgroups()]"))
        assert set(another["told"]).isdisjoint(answer["told"])  # so limits are counted apart


def test_no_secret_of_the_parent_is_in_its_environment(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("SECRET_KEY", "secret")
    (answer,) = probe(tell("dict(os.environ)"))
    assert answer["told"].items() >= ENVIRONMENT.items()
    assert answer["told"].keys() - ENVIRONMENT.keys() <= HARMLESS


def test_it_inherits_no_open_file_of_the_parent(probe: Probe, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    kept = os.dup(os.open(secret, os.O_RDONLY))
    os.set_inheritable(kept, True)
    try:
        code = "kinds = []\nfor fd in range(64):\n    try: kinds.append(os.fstat(fd).st_mode)\n"
        code += "    except OSError: pass\nimport stat\n"
        (answer,) = probe(code + tell("[stat.S_ISREG(mode) for mode in kinds]"))
    finally:
        os.close(kept)
    assert not any(answer["told"])


def test_a_lent_file_can_be_read_again_and_again_and_not_written(
    form: Form, inside: Path, tmp_path: Path
) -> None:
    lent = tmp_path / "model.bin"
    lent.write_bytes(b"the model")
    lent.chmod(0o600)
    code = f"""
import fcntl, stat
def writable(file):
    try: how, kind = fcntl.fcntl(file, fcntl.F_GETFL), os.fstat(file).st_mode
    except OSError: return False
    return stat.S_ISREG(kind) and how & os.O_ACCMODE != os.O_RDONLY
path, told = arguments["path"], []
for _ in range(2): told.append(open(path).read())
try: open(path, "r+b").write(b"x")
except OSError as error: told.append("refused")
told += [file for file in range(64) if writable(file)]
{tell("told")}"""
    with Child("attack", {"code": code}, Limits(), form, {"path": lent}) as child:
        ((_, payload),) = child.messages()
    assert frames.parse(payload)["told"] == ["the model", "the model", "refused"]


def test_memory_beyond_the_limit_is_refused(probe: Probe) -> None:
    code = f"""
import mmap
told = []
for take in (lambda: bytearray(2 << 30), lambda: mmap.mmap(-1, 2 << 30)):
    try: take(); told.append("taken")
    except (MemoryError, OSError): told.append("refused")
{tell("told")}"""
    (answer,) = probe(code, memory=1 << 30)
    assert answer["told"] == ["refused", "refused"]


def test_a_thread_bomb_is_small(probe: Probe) -> None:
    code = f"""
import threading
threading.stack_size(32768)
count = 0
try:
    for count in range(1, 5000): threading.Thread(target=time.sleep, args=[60], daemon=True).start()
except RuntimeError: pass
{tell("count")}
pipe.flush(); os._exit(0)"""
    (answer,) = probe(code, threads=24)
    if os.geteuid() == 0 or "bubblewrap" in os.environ.get("PYTEST_CURRENT_TEST", ""):
        assert answer["told"] <= 24
    else:  # counted together with what the worker's user runs already
        assert answer["told"] < 4999


@pytest.mark.parametrize(
    ("code", "limits", "expected"),
    [
        ("time.sleep(60)", {"wall": 1.5}, "inspection_timeout"),
        ("import signal; signal.raise_signal(19)", {"wall": 1.5}, "inspection_timeout"),
        (
            "import signal; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
            {"wall": 1.5},
            "inspection_timeout",
        ),
        (
            "os.close(1); os.close(2); pipe.close(); time.sleep(60)",
            {"wall": 1.5},
            "inspection_timeout",
        ),
        ("while True: pass", {"cpu": 1}, "inspection_out_of_time"),
        (
            "import signal; signal.signal(24, signal.SIG_IGN)\nwhile True: pass",
            {"cpu": 1},
            "inspection_crashed",
        ),
        ("import ctypes; ctypes.string_at(0)", {}, "inspection_crashed"),
        ("os._exit(3)", {}, "inspection_crashed"),
        ("print('x' * 1_000_000)", {}, "inspection_too_talkative"),
        ("os.write(2, b'x' * 1_000_000)", {}, "inspection_too_talkative"),
        ("pipe.write(b'garbage that is no message at all')", {}, "inspection_garbled"),
        ("pipe.write(b'J' + b'\\xff' * 4)", {}, "inspection_garbled"),
        ("frames.write_bytes(pipe, bytes(5_000_000))", {"result": 1 << 20}, "inspection_garbled"),
    ],
)
def test_a_child_that_misbehaves_ends_in_a_refusal(
    code: str, limits: dict[str, Any], expected: str, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models_hub.sandbox.process.SECONDS_TO_DIE", 1.5)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(Refused) as refusal:
        probe(code, **limits)
    assert refusal.value.code == expected
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the second numbering is x86-64's")
def test_the_second_numbering_of_system_calls_is_deadly(probe: Probe) -> None:
    code = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39); time.sleep(5)"
    with pytest.raises(Refused, match="signal 31"):
        probe(code)


def test_a_result_nested_without_end_is_garbled_not_fatal(form: Form, inside: Path) -> None:
    code = "frames._write(pipe, frames.JSON, b'[' * 200_000)"
    with Child("attack", {"code": code}, Limits(), form) as child:
        ((_, payload),) = child.messages()
    with pytest.raises(frames.Garbled):
        frames.parse(payload)


def test_nothing_survives_a_launcher_that_is_killed(form: Form) -> None:
    marker = secrets.token_hex(16)
    program = f"""
import sys, time
sys.path[:0] = {[str(ROOT), str(ROOT / "runtime")]!r}
from pathlib import Path
from models_hub.sandbox import Limits, layout
from models_hub.sandbox.forms import FORMS
from models_hub.sandbox.process import Child
layout.ROOTS = (*layout.ROOTS, Path({str(INSIDE)!r}))
layout.CODE = (*layout.CODE, Path({str(INSIDE)!r}))
with Child("echo", {{"marker": {marker!r}}}, Limits(), FORMS[{form.name!r}]) as child:
    child.receive(30)
    print("up", flush=True)
    time.sleep(60)
"""
    launcher = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"up\n"
        assert _bearing(marker, launcher.pid)
    finally:
        launcher.send_signal(signal.SIGKILL)
        launcher.communicate()
    wait_for(lambda: not _bearing(marker), 10, "everything inside is gone")


def _bearing(marker: str, *but: int) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if any(marker in word for word in process.info["cmdline"] or [])
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.pid not in but
    ]


def test_a_child_serves_until_it_is_left(form: Form, inside: Path) -> None:
    with Child("echo", {}, Limits(cpu=None), form) as child:
        assert child.receive(30) == (frames.JSON, b'{"loaded": true}')
        assert child.call({"rows": 3}, 10) == (frames.BYTES, b'{"rows": 3}')
        large = secrets.token_bytes(3_000_000)
        for _ in range(3):
            assert child.call(large, 10) == (frames.BYTES, large)
        assert child.call(b"hoard", 10) == (frames.BYTES, b"refused")
        pid = child.pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"sleep", "inspection_timeout"),
        (b"die", "inspection_crashed"),
        (b"twice", "inspection_garbled"),
    ],
)
def test_a_serving_child_that_fails_says_how(
    request_: bytes, expected: str, form: Form, inside: Path
) -> None:
    with Child("echo", {}, Limits(cpu=None), form) as child:
        child.receive(30)
        with pytest.raises(Refused) as refusal:
            _call_again(child, request_)
        assert refusal.value.code == expected


def _call_again(child: Child, request: bytes) -> None:
    child.call(request, 1)
    for _ in range(20):  # a second answer may come behind the first, or one call later
        time.sleep(0.05)
        child.call(b"and now?", 1)


def test_children_side_by_side_have_limits_of_their_own(form: Form, inside: Path) -> None:
    with ExitStack() as stack:
        children = [
            stack.enter_context(Child("echo", {}, Limits(cpu=None), form)) for _ in range(3)
        ]
        for child in children:
            child.receive(30)
        with ThreadPoolExecutor(len(children)) as threads:
            told = list(threads.map(lambda child: child.call(b"x", 10)[1], children))
        assert told == [b"x"] * 3
