"""The filters decide as they are meant to, on both machines: their programs are run here."""

import errno
import struct
from collections.abc import Callable

import pytest

from models_hub.sandbox import filters
from models_hub.sandbox.bpf import ALLOW, AUDIT_ARCH, KILL, Filter, numbers
from models_hub.sandbox.bpf import errno as fails

PID = 4711
DENIED, READ_ONLY, NOT_THERE = map(fails, (errno.EPERM, errno.EROFS, errno.ENOSYS))
O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC = 0, 1, 0o100, 0o1000
THREAD = (
    0x003D0F00  # what the C library asks of clone for a thread: CLONE_VM to CLONE_CHILD_CLEARTID
)
SIGCHLD = 17

Decide = Callable[..., int]


def decide(program: bytes, machine: str, number: int, *arguments: int) -> int:
    """What the kernel would do: the classic BPF that seccomp uses, as linux/filter.h has it."""
    given = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=iIQ6Q", number, AUDIT_ARCH[machine], 0, *given)
    code = list(struct.iter_unpack("HBBI", program))
    at, accumulator = 0, 0
    while True:
        operation, yes, no, operand = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif operation == 0x06:
            return int(operand)
        else:
            tests = {0x15: accumulator == operand, 0x35: accumulator >= operand}
            tests[0x45] = bool(accumulator & operand)
            at += yes if tests[operation] else no


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def inner(machine: str) -> Decide:
    program = filters.inner(PID, machine)
    return lambda name, *given: decide(program, machine, numbers(machine)[name], *given)


@pytest.fixture
def outer(machine: str) -> Decide:
    program = filters.outer(machine)
    return lambda name, *given: decide(program, machine, numbers(machine)[name], *given)


@pytest.mark.parametrize(
    ("call", "given", "verdict"),
    [
        ("read", (0,), ALLOW),
        ("mmap", (), ALLOW),
        ("futex", (), ALLOW),
        ("openat", (0, 0, O_RDONLY), ALLOW),
        ("openat", (0, 0, O_WRONLY), READ_ONLY),
        ("openat", (0, 0, O_CREAT), READ_ONLY),
        ("openat", (0, 0, O_TRUNC), READ_ONLY),
        ("openat", (0, 0, 1 << 40), ALLOW),  # the kernel looks at the lower half alone too
        ("openat2", (), NOT_THERE),
        ("clone", (THREAD,), ALLOW),
        ("clone", (SIGCHLD,), DENIED),
        ("clone3", (), NOT_THERE),
        ("execve", (), DENIED),
        ("execveat", (), DENIED),
        ("socket", (), DENIED),
        ("socketpair", (), DENIED),
        ("memfd_create", (), DENIED),
        ("ptrace", (), DENIED),
        ("seccomp", (), DENIED),
        ("tgkill", (PID, 1, 6), ALLOW),
        ("tgkill", (PID + 1, 1, 6), DENIED),
        ("prlimit64", (0, 7), ALLOW),
        ("prlimit64", (PID, 7), ALLOW),
        ("prlimit64", (1, 7), DENIED),
        ("prctl", (15,), ALLOW),
        ("prctl", (1, 0), DENIED),
        ("fcntl", (1, 3), ALLOW),
        ("fcntl", (1, 8, 1), DENIED),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), DENIED),
    ],
)
def test_the_inner_filter_allows_what_is_listed_and_nothing_else(
    call: str, given: tuple[int, ...], verdict: int, inner: Decide
) -> None:
    assert inner(call, *given) == verdict


@pytest.mark.parametrize(
    ("call", "given", "verdict"),
    [
        ("execve", (), ALLOW),
        ("clone", (SIGCHLD,), ALLOW),
        ("clone", (0x10000000 | SIGCHLD,), DENIED),
        ("clone3", (), NOT_THERE),
        ("socket", (), DENIED),
        ("unshare", (), DENIED),
        ("mount", (), DENIED),
        ("keyctl", (), DENIED),
        ("memfd_secret", (), DENIED),
        ("ioctl", (0, 0x5412), DENIED),
    ],
)
def test_the_outer_filter_denies_what_is_listed_and_nothing_else(
    call: str, given: tuple[int, ...], verdict: int, outer: Decide
) -> None:
    assert outer(call, *given) == verdict


def test_another_machines_calls_and_second_numberings_are_deadly() -> None:
    for program in (filters.outer("x86_64"), filters.inner(PID, "x86_64")):
        assert decide(program, "aarch64", 0) == KILL
        assert decide(program, "x86_64", 0x40000000) == KILL


def test_each_listed_call_is_known_on_some_machine() -> None:
    known = numbers("x86_64").keys() | numbers("aarch64").keys()
    listed = {*filters.ALLOWED.split(), *filters.DENIED.split()}
    assert listed <= known


def test_a_machine_without_a_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        Filter("vax")
