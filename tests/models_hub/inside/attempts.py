"""A job that tries, one after the other, what code from a stranger would try."""

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from models_hub.sandbox import frames
from models_hub.sandbox.bpf import numbers

#: What the test set up outside, by name; and what is tried, by name.
Given = dict[str, Any]
Attempts = dict[str, Callable[[], object]]
_libc = ctypes.CDLL(None, use_errno=True)
# Calls that neither list of the sandbox names, by number: x86-64, then 64-bit ARM.
MORE = {
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "sched_setaffinity": (203, 122),
    "setpriority": (141, 140),
    "timer_create": (222, 107),
    "setxattr": (188, 5),
    "fchmodat": (268, 53),
    "truncate": (76, 45),
    "msgget": (68, 186),
    "quotactl": (179, 60),
    "pidfd_getfd": (438, 438),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "memfd_secret": (447, 447),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "kcmp": (312, 272),
    "syslog": (103, 116),
    "vmsplice": (278, 75),
    "process_madvise": (440, 440),
}


def call(name: str, *arguments: object) -> None:
    """A system call past every library."""
    table = numbers(platform.machine())
    number = table.get(name) or MORE[name][platform.machine() == "aarch64"]
    passed = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if _libc.syscall(ctypes.c_long(number), *passed) < 0:
        raise OSError(ctypes.get_errno(), name)


def see(folder: Path, name: str) -> None:
    """A folder may be there because something below it is; what else it holds may not be seen."""
    if name not in os.listdir(folder):
        raise FileNotFoundError(errno.ENOENT, name)


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def daemonise() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/bin/sleep", ["sleep", "60"])
        os._exit(0)


def connect(family: int, kind: int, address: Any) -> None:
    with socket.socket(family, kind) as line:
        line.settimeout(2)
        line.connect(address)
        line.send(b"the secret")


def reading(a: Given) -> Attempts:
    """Files and folders that are not its own."""
    outside, ours, parent = Path(a["outside"]), Path(a["code"]), a["parent"]
    secret = outside / "secret"
    return {
        "read a secret": secret.read_bytes,
        "read a secret by a link": lambda: (ours / "link").read_bytes(),
        "read by ..": lambda: Path(f"{ours}/../secret").read_bytes(),
        "read our settings": lambda: Path(a["checkout"], "manage.py").read_bytes(),
        "read the users": lambda: Path("/etc/passwd").read_bytes(),
        "list a folder": lambda: see(outside, "secret"),
        "list the checkout": lambda: see(Path(a["checkout"]), "manage.py"),
        "list home folders": lambda: (see(Path("/"), "home"), os.listdir("/home")),  # type: ignore[func-returns-value]  # for its effect
        "read proc": lambda: Path("/proc/self/environ").read_bytes(),
        "read proc of init": lambda: Path("/proc/1/environ").read_bytes(),
        "read proc of the parent": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "read the parent's memory": lambda: Path(f"/proc/{parent}/mem").open("rb").read(1),
    }


def writing(a: Given) -> Attempts:
    """Files, memory and queues that would stay."""
    outside, ours = Path(a["outside"]), Path(a["code"])
    secret, open_folder = outside / "secret", outside / "open"
    return {
        "write a new file": lambda: (open_folder / "new").write_text("x"),
        "write over a file": lambda: secret.write_text("x"),
        "append to our code": lambda: (ours / "module.py").open("a").write("x"),
        "write into /tmp": lambda: Path("/tmp/berth-attack").write_text("x"),
        "write into /dev/shm": lambda: Path("/dev/shm/berth-attack").write_text("x"),
        "write a nameless file": lambda: os.open(open_folder, os.O_TMPFILE | os.O_RDWR),
        "make a folder": lambda: os.mkdir(open_folder / "folder"),
        "make a link": lambda: os.symlink("/etc/passwd", open_folder / "link"),
        "make a hard link": lambda: os.link(secret, open_folder / "hard"),
        "make a pipe": lambda: os.mkfifo(open_folder / "pipe"),
        "remove": lambda: os.unlink(open_folder / "there"),
        "rename": lambda: os.rename(open_folder / "there", open_folder / "elsewhere"),
        "truncate": lambda: call("truncate", bytes(open_folder / "there"), 0),
        "change a mode": lambda: os.chmod(open_folder / "there", 0o777),
        "change a time": lambda: os.utime(open_folder / "there"),
        "change an attribute": lambda: os.setxattr(open_folder / "there", "user.x", b"x"),
        "make a file of memory": lambda: os.memfd_create("x"),
        "share memory": lambda: call("shmget", 0, 1 << 30, 0o1600),
        "make a queue": lambda: call("msgget", 0, 0o1600),
    }


def connecting(a: Given) -> Attempts:
    """Ways out."""
    vsock = (getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM, (2, 22))
    return {
        "connect by TCP": lambda: connect(socket.AF_INET, socket.SOCK_STREAM, tuple(a["tcp"])),
        "send by UDP": lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, tuple(a["tcp"])),
        "connect to a file": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, a["unix"]),
        "connect to a name": lambda: connect(
            socket.AF_UNIX, socket.SOCK_STREAM, "\0" + a["abstract"]
        ),
        "open netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
        "connect to the machine's host": lambda: connect(*vsock),
        "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        "open a pair": socket.socketpair,
    }


def starting(a: Given) -> Attempts:
    """Other processes and programs."""
    return {
        "fork": fork,
        "fork by number": lambda: call("clone", signal.SIGCHLD, 0, 0, 0, 0),
        "make a namespace": lambda: call("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0),
        "daemonise": daemonise,
        "run a shell": lambda: subprocess.run("true", shell=True, check=True),
        "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "become another program": lambda: os.execv(a["python"], ["python", "-c", ""]),
        "become an open file": lambda: call("execveat", os.open(a["python"], 0), b"", 0, 0, 0x1000),
    }


def reaching(a: Given) -> Attempts:
    """The parent, and other processes."""
    parent = a["parent"]
    return {
        "signal the parent": lambda: os.kill(parent, 0),
        "signal everybody": lambda: os.kill(-1, signal.SIGCONT),
        "signal the parent's thread": lambda: call("tgkill", parent, parent, signal.SIGCONT),
        "signal a thread": lambda: call("tkill", parent, signal.SIGCONT),
        "queue a signal": lambda: call("rt_sigqueueinfo", parent, signal.SIGCONT, bytes(128)),
        "hold the parent": lambda: call("pidfd_open", parent, 0),
        "trace the parent": lambda: call("ptrace", 16, parent, 0, 0),
        "be traced": lambda: call("ptrace", 0, 0, 0, 0),
        "read the parent": lambda: call("process_vm_readv", parent, 0, 0, 0, 0, 0),
        "limit the parent": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
        "slow the parent": lambda: os.setpriority(os.PRIO_PROCESS, parent, 19),
        "move the parent": lambda: os.sched_setaffinity(parent, {0}),
        "outlive the parent": lambda: call("prctl", 1, 0, 0, 0, 0),
        "send signals by a file": lambda: call("fcntl", 1, 8, parent),
    }


def rising(_: Given) -> Attempts:
    """More rights than it has, and the kernel's rarer doors."""
    return {
        "become root": lambda: os.setresuid(0, 0, 0),
        "join root's group": lambda: os.setgroups([0]),
        "take a capability": lambda: call("capset", bytes(8), bytes(24)),
        "lift a limit": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)),
        "leave a namespace": lambda: call("unshare", 0x10000000),
        "mount": lambda: call("mount", b"none", b"/", b"tmpfs", 0, 0),
        "change the root": lambda: os.chroot("/"),
        "load a program into the kernel": lambda: call("bpf", 0, 0, 0),
        "measure the machine": lambda: call("perf_event_open", 0, 0, 0, 0, 0),
        "use the keyring": lambda: call("keyctl", 0, 0, 0, 0, 0),
        "handle page faults": lambda: call("userfaultfd", 0),
        "use io_uring": lambda: call("io_uring_setup", 1, bytes(120)),
        "change the personality": lambda: call("personality", 0x0040000),
        "set the clock": lambda: call("clock_settime", 0, bytes(16)),
        "type into a terminal": lambda: call("ioctl", 0, 0x5412, b"x"),
        "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
        "leave the session": os.setsid,  # who did would go on while its session is stopped
        "leave the group": lambda: os.setpgid(0, 0),
    }


def watching(a: Given) -> Attempts:
    """What few programs ever call."""
    parent = a["parent"]
    return {
        "take the parent's file": lambda: call("pidfd_getfd", parent, 0, 0),
        "open by a handle": lambda: call("open_by_handle_at", -100, bytes(128), 0),
        "open a tree": lambda: call("open_tree", -100, b"/", 0),
        "make secret memory": lambda: call("memfd_secret", 0),
        "watch files": lambda: call("inotify_init1", 0),
        "watch all files": lambda: call("fanotify_init", 0, 0),
        "compare with the parent": lambda: call("kcmp", parent, parent, 0, 0, 0),
        "read the kernel's log": lambda: call("syslog", 10, 0, 0),
        "splice memory": lambda: call("vmsplice", 1, 0, 0, 0),
        "advise the parent": lambda: call("process_madvise", parent, 0, 0, 4, 0),
    }


def attempts(a: Given) -> Attempts:
    """By name, in the order in which they are tried."""
    every: Attempts = {}
    for kind in (reading, writing, connecting, starting, reaching, rising, watching):
        every |= kind(a)
    return every


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    """Tells by name how each attempt ended: "done", or the error's name."""
    frames.write_json(pipe, {name: tried(go) for name, go in attempts(arguments).items()})


def tried(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except (ValueError, subprocess.SubprocessError) as error:
        return type(error).__name__
    return "done"
