"""The kernel's walls, asked for by plain system calls: Landlock, seccomp, capabilities, limits.

Layouts and constants: linux/landlock.h, linux/seccomp.h, linux/prctl.h, linux/capability.h. Each
function raises OSError when the kernel refuses.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Iterable
from pathlib import Path

from models_hub.sandbox.bpf import numbers

#: The first Landlock version that keeps signals and abstract sockets in (Linux 6.12).
LANDLOCK_NEEDED = 6

_NO_NEW_PRIVS, _PDEATHSIG, _CAPBSET_READ, _CAPBSET_DROP, _KEEPCAPS = 38, 1, 23, 24, 8
_SIGKILL = 9
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_EVERY_FILE_ACCESS = (1 << 16) - 1  # EXECUTE to IOCTL_DEV
_EVERY_NET_ACCESS = 0b11  # TCP: bind, connect
_EVERY_SCOPE = 0b11  # abstract sockets, signals
_FILTER_MODE, _ALL_THREADS = 1, 1  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC
_CAPABILITIES_V3 = 0x20080522
_DAC_READ_SEARCH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    try:
        return max(_call("landlock_create_ruleset", None, 0, _VERSION), 0)
    except (OSError, KeyError):
        return 0


def landlock(readable: Iterable[Path], files: Iterable[int]) -> None:
    """From here on this thread and its children read below `readable` and the open `files`,
    and do nothing else with the file system, TCP, or processes that do not descend from it."""
    rules = struct.pack("QQQ", _EVERY_FILE_ACCESS, _EVERY_NET_ACCESS, _EVERY_SCOPE)
    ruleset = _call("landlock_create_ruleset", rules, len(rules), 0)
    for path in readable:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        access = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        _landlock_rule(ruleset, access, folder)
        os.close(folder)
    for file in files:
        _landlock_rule(ruleset, _READ_FILE, file)
    forgo_privileges()
    _call("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


def _landlock_rule(ruleset: int, access: int, file: int) -> None:
    _call("landlock_add_rule", ruleset, _PATH_BENEATH, struct.pack("=Qi", access, file), 0)


def seccomp(program: bytes) -> None:
    """Filter the system calls of all threads of this process by an assembled program."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    forgo_privileges()
    if thread := _call("seccomp", _FILTER_MODE, _ALL_THREADS, header):
        raise OSError(f"thread {thread} can't be filtered")


def forgo_privileges() -> None:
    """No program started from here on gives more rights than there are."""
    _prctl(_NO_NEW_PRIVS, 1)


def die_with_parent() -> None:
    """Be killed when the thread that started this process ends. A change of the user undoes it."""
    _prctl(_PDEATHSIG, _SIGKILL)


def become(user: int, *, reads_everything: bool) -> None:
    """Root becomes `user`, for good: no groups, and no capabilities but, where asked for, that of
    passing permissions when reading (CAP_DAC_READ_SEARCH)."""
    for capability in range(64):
        if _libc.prctl(_CAPBSET_READ, capability, 0, 0, 0) == 1:
            _prctl(_CAPBSET_DROP, capability)
    _prctl(_KEEPCAPS, int(reads_everything))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    kept = 1 << _DAC_READ_SEARCH if reads_everything else 0
    header = struct.pack("Ii", _CAPABILITIES_V3, 0)
    _call("capset", header, struct.pack("6I", kept, kept, 0, 0, 0, 0))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _call(name: str, *arguments: object) -> int:
    """A system call by name; raises OSError, and KeyError on a machine that is not listed."""
    number = numbers(platform.machine())[name]
    passed = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_libc.syscall(number, *passed))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return result
