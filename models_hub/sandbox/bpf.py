"""Seccomp filters, assembled: classic BPF over a system call's number and arguments.

Layouts and constants: linux/seccomp.h, linux/filter.h, linux/bpf_common.h, linux/audit.h. Numbers
of the system calls per machine: syscalls.json, taken once from libseccomp.
"""

import json
import platform
import struct
from collections.abc import Iterable
from pathlib import Path

ALLOW = 0x7FFF0000
KILL = 0x80000000
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000  # x86-64's second numbering, which no list of ours is about

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data


def errno(number: int) -> int:
    """The action "fail with this errno"."""
    return 0x00050000 | number


def numbers(machine: str) -> dict[str, int]:
    """System calls' numbers by name. Raises KeyError for a machine that is not listed."""
    tables: dict[str, dict[str, int]] = json.loads(
        Path(__file__).with_name("syscalls.json").read_text()
    )
    return tables[machine]


class Filter:
    """A filter under construction. Rules are tried in the order in which they are added, and the
    first that fits decides; system calls that this machine does not have are passed over."""

    def __init__(self, machine: str | None = None) -> None:
        """`machine` as `platform.machine()` names it; raises KeyError for one not listed."""
        machine = machine or platform.machine()
        self._numbers = numbers(machine)
        self._code = [
            _step(_LOAD, _ARCH),
            _step(_EQUAL, AUDIT_ARCH[machine], yes=1),
            _step(_RETURN, KILL),
            _step(_LOAD, _NUMBER),
        ]
        if machine == "x86_64":
            self._code += [_step(_AT_LEAST, X32, no=1), _step(_RETURN, KILL)]

    def always(self, names: Iterable[str], action: int) -> "Filter":
        """The calls of these names, whatever their arguments."""
        for name in names:
            self._rule(name, [_step(_RETURN, action)])
        return self

    def bits(self, name: str, argument: int, mask: int, hit: int, miss: int) -> "Filter":
        """`hit` if the argument (its lower 32 bits) has any bit of `mask`, else `miss`."""
        test = [_step(_ANY_BIT, mask, no=1), _step(_RETURN, hit), _step(_RETURN, miss)]
        return self._rule(name, [_argument(argument), *test])

    def one_of(
        self, name: str, argument: int, values: Iterable[int], hit: int, miss: int
    ) -> "Filter":
        """`hit` if the argument (its lower 32 bits) is one of `values`, else `miss`."""
        tests = [
            step for value in values for step in (_step(_EQUAL, value, no=1), _step(_RETURN, hit))
        ]
        return self._rule(name, [_argument(argument), *tests, _step(_RETURN, miss)])

    def otherwise(self, action: int) -> bytes:
        """The finished program: an array of struct sock_filter."""
        return b"".join([*self._code, _step(_RETURN, action)])

    def _rule(self, name: str, body: list[bytes]) -> "Filter":
        """The body always returns, so the number need not be loaded again behind it."""
        if name in self._numbers:
            self._code += [_step(_EQUAL, self._numbers[name], no=len(body)), *body]
        return self


def _step(code: int, operand: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; `yes` and `no` are how many instructions a comparison skips."""
    return struct.pack("HBBI", code, yes, no, operand & 0xFFFFFFFF)


def _argument(index: int) -> bytes:
    return _step(_LOAD, _ARGUMENTS + 8 * index)
