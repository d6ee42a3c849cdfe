"""The first program inside: trusted, and done before the first hostile byte is read.

Started as `python -I -B first.py CONFIG`. It gives its rights up, limits itself, imports the named
job, closes the last wall, says so, and runs the job. Requests come by standard input; what the
job says goes into a pipe of its own, so that nothing printed can be taken for a result.
"""

import json
import os
import resource
import sys
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any


def main() -> None:
    """Raise the walls that CONFIG (JSON) asks for, then hand over to the job."""
    config = json.loads(sys.argv[1])
    sys.path[:0] = config["roots"]
    _raise_walls(config)
    job = import_module(config["job"])
    if config.get("filter"):
        _filter()
    with os.fdopen(config["pipe"], "wb") as pipe:
        _say_ready(pipe)
        job.run(config["arguments"], sys.stdin.buffer, pipe)


def _raise_walls(config: dict[str, Any]) -> None:
    """All walls but the inner filter, under which nothing more could be raised.

    Before the job's imports, since Landlock holds for this thread and those that it starts.
    """
    # imported here because the path to it has only just been set
    from models_hub.sandbox import kernel

    if "user" in config:
        kernel.become(config["user"], reads_everything=config.get("reads_everything", False))
    if sys.platform == "linux":
        kernel.die_with_parent()
        kernel.forgo_privileges()
    if os.getppid() != config.get("parent", os.getppid()):  # it died before we asked
        os._exit(1)
    _limit(config["limits"])
    if walls := config.get("landlock"):
        kernel.landlock(map(Path, walls["paths"]), walls["files"])
        _overlook_proc()
    if config.get("filter"):
        _limit_threads(config["threads"])


def _overlook_proc() -> None:
    """Landlock hides what is in /proc but not that it is there, and threadpoolctl, which
    scikit-learn calls, would rather fail than look elsewhere."""
    # imported here because only children behind Landlock need it
    import threadpoolctl  # type: ignore[import-untyped]  # it comes without types

    threadpoolctl._HAS_PROCFS = False


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:  # not every system has each of them
            continue
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # at the soft limit of CPU a signal comes that names the reason, at the hard one SIGKILL
        soft = max(value - 1, 1) if name == "CPU" else value
        resource.setrlimit(kind, (soft, value))


def _limit_threads(most: int) -> None:
    """Let this user have `most` threads, or twice what it has where the user has more already.

    The kernel counts a user's threads everywhere and does not tell; so it is tried.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    while True:
        resource.setrlimit(resource.RLIMIT_NPROC, (most // 2, hard))
        try:
            thread = Thread(target=int)
            thread.start()
        except RuntimeError:
            most *= 2
        else:
            thread.join()
            resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
            return


def _filter() -> None:
    from models_hub.sandbox import filters, kernel

    kernel.seccomp(filters.inner(os.getpid()))


def _say_ready(pipe: Any) -> None:
    from models_hub.sandbox import frames

    frames.write_json(pipe, {"event": "ready"})


if __name__ == "__main__":
    main()
