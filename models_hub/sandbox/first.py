"""The first program inside: trusted, small, and done before the first hostile byte is read.

Started as `python -I -B first.py CONFIG`. It limits itself, imports the named
job, waits for the parent's word, and runs it. The walls
that need the kernel's help (namespaces, Landlock, seccomp) belong here too.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from importlib import import_module

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Take the limits of CONFIG (JSON), then hand over to the job with the result's pipe."""
    config = json.loads(sys.argv[1])
    _die_with(config["parent"])
    _limit(config["limits"])
    sys.path[:0] = config["roots"]
    job = import_module(f"models_hub.sandbox.{config['job']}")
    sys.stdin.buffer.read()  # its end is the parent's word to begin
    with os.fdopen(config["given"], "rb") as given, os.fdopen(config["pipe"], "wb") as pipe:
        given.seek(0)
        job.run(config["arguments"], given, pipe)


def _die_with(parent: int) -> None:
    """Be killed when the launching thread ends, and gain no privileges by any exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # at the soft limit of CPU a signal comes that names the reason, at the hard one SIGKILL
        soft = max(value - 1, 1) if name == "CPU" else value
        resource.setrlimit(kind, (soft, value))


if __name__ == "__main__":
    main()
