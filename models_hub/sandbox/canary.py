"""The canary's job: try each wall from the inside, as an upload's code would, and tell."""

import ctypes
import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from models_hub.sandbox import frames

_PR_SET_PDEATHSIG, _CLONE_NEWUSER = 1, 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    """`arguments`: secret (a file that everybody may read, outside), writable (a folder that
    everybody may write to, outside), parent (its process id), environment (names that may be
    set), memory (bytes that may be had), threads (how many the worker itself may have)."""
    for name, wall in WALLS.items():
        frames.write_json(pipe, {"wall": name, "gap": wall(arguments)})


def _user(arguments: dict[str, Any]) -> str:
    ids = {*os.getresuid(), *os.getresgid(), *os.getgroups()}
    if 0 in ids:
        return "it is root, or in root's group"
    return _opened({"become root": lambda: os.setuid(0)})


def _network(arguments: dict[str, Any]) -> str:
    families = {"AF_INET": socket.SOCK_DGRAM, "AF_INET6": socket.SOCK_STREAM}
    families |= {"AF_UNIX": socket.SOCK_STREAM, "AF_NETLINK": socket.SOCK_RAW}
    families |= {"AF_VSOCK": socket.SOCK_STREAM}
    known = {name: kind for name, kind in families.items() if hasattr(socket, name)}
    return _opened(
        {
            f"open a socket of {name}": lambda name=name, kind=kind: socket.socket(  # type: ignore[misc]  # mypy can't type a lambda with defaults
                getattr(socket, name), kind
            )
            for name, kind in known.items()
        }
    )


def _processes(arguments: dict[str, Any]) -> str:
    return _opened({"fork": _fork})


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _programs(arguments: dict[str, Any]) -> str:
    itself, shell = sys.executable, "/bin/sh"
    return _opened(
        {f"start {path}": lambda path=path: os.execv(path, [path]) for path in (itself, shell)}  # type: ignore[misc]  # noqa: S606  # see _network
    )


def _writing(arguments: dict[str, Any]) -> str:
    folders = [arguments["writable"], "/", "/tmp", "/dev/shm", "/job", str(Path(__file__).parent)]  # noqa: S108  (tried, not used)
    return _opened({f"write into {at}": lambda at=at: _write(f"{at}/canary") for at in folders})  # type: ignore[misc]  # see _network


def _write(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.unlink(path)


def _reading(arguments: dict[str, Any]) -> str:
    return _opened(
        {
            "read a file of the host": lambda: Path(arguments["secret"]).read_bytes(),
            "read the list of users": lambda: Path("/etc/passwd").read_bytes(),
            "look into a folder of the host": lambda: os.listdir(arguments["writable"]),
        }
    )


def _environment(arguments: dict[str, Any]) -> str:
    more = sorted(os.environ.keys() - set(arguments["environment"]))
    return f"it is told {', '.join(more)}" if more else ""


def _proc(arguments: dict[str, Any]) -> str:
    files = ("self/environ", "1/environ", f"{arguments['parent']}/environ", "sys/kernel/hostname")
    return _opened(
        {f"read /proc/{name}": lambda name=name: Path("/proc", name).read_bytes() for name in files}  # type: ignore[misc]  # see _network
    )


def _limits(arguments: dict[str, Any]) -> str:
    nothing = ("FSIZE", "CORE", "MEMLOCK")
    for name in nothing:
        if resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) != (0, 0):
            return f"RLIMIT_{name} is not 0"
    for name in ("AS", "NOFILE", "CPU"):
        if resource.RLIM_INFINITY in resource.getrlimit(getattr(resource, f"RLIMIT_{name}")):
            return f"RLIMIT_{name} is not set"
    if resource.getrlimit(resource.RLIMIT_NPROC)[1] in (arguments["threads"], -1):
        return "RLIMIT_NPROC is not set"
    return _opened({"take more memory": lambda: bytearray(arguments["memory"])})


def _parent(arguments: dict[str, Any]) -> str:
    parent = arguments["parent"]
    everything = resource.RLIM_INFINITY, resource.RLIM_INFINITY
    return _opened(
        {
            "send its parent a signal": lambda: os.kill(parent, 0),
            "change its parent's limits": lambda: resource.prlimit(
                parent, resource.RLIMIT_NOFILE, everything
            ),
            "outlive its parent": lambda: _called("prctl", _PR_SET_PDEATHSIG, 0),
        }
    )


def _kernel(arguments: dict[str, Any]) -> str:
    return _opened(
        {
            "make a file of memory": lambda: _called("memfd_create", b"canary", 0),
            "make a namespace": lambda: _called("unshare", _CLONE_NEWUSER),
            "share memory": lambda: _called("shmget", 0, 4096, 0o1600),
        }
    )


def _called(name: str, *arguments: Any) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _opened(attempts: dict[str, Callable[[], object]]) -> str:
    """What of all that it could do; "" when each attempt failed."""
    done = [name for name, attempt in attempts.items() if _succeeds(attempt)]
    return f"it could {', '.join(done)}" if done else ""


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, MemoryError, ValueError):
        return False
    return True


WALLS: dict[str, Callable[[dict[str, Any]], str]] = {
    "user": _user,
    "network": _network,
    "processes": _processes,
    "writing": _writing,
    "reading": _reading,
    "environment": _environment,
    "proc": _proc,
    "limits": _limits,
    "parent": _parent,
    "kernel": _kernel,
    "programs": _programs,  # last, since a program that starts takes the canary's place
}
