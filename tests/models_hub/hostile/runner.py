"""Opens hostile files, each in a fork of a process that has the libraries already.

`python -m tests.models_hub.hostile.runner` reads lines of JSON (path, filename) and answers each
with the code of the refusal, or with what became of the process. It is the sandbox's first job
without the sandbox's walls: code in a file would really run, and leave its marker.
"""

import io
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import skops.io  # noqa: F401 - and all of the above, so that no fork imports them

from models_hub.formats import HEAD, Refused, recognise
from models_hub.sandbox import frames, opening

MEMORY = 3 << 30
CPU_SECONDS = 2
WALL_SECONDS = 30


def main() -> None:
    """Answer until there are no more questions."""
    for line in sys.stdin:
        question = json.loads(line)
        sys.stdout.write(json.dumps(asked(Path(question["path"]), question["filename"])) + "\n")
        sys.stdout.flush()


def asked(path: Path, filename: str) -> dict[str, Any]:
    """{"code", "detail"} of the refusal; "code" is "ready" when there was none."""
    try:
        with path.open("rb") as stream:
            form = recognise(stream.read(HEAD), filename).name
    except Refused as refusal:
        return {"code": refusal.code, "detail": refusal.detail}
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _open(path, form, writing)
    os.close(writing)
    return _heard(child, reading)


def _open(path: Path, form: str, writing: int) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    rows = {"sample": None, "target": None, "seed": 1}
    arguments = {"path": str(path), "format": form, "own_code": False, **rows}
    with os.fdopen(writing, "wb") as pipe:
        opening.run(arguments, io.BytesIO(), pipe)
    os._exit(0)


def _heard(child: int, reading: int) -> dict[str, Any]:
    said, deadline = b"", time.monotonic() + WALL_SECONDS
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = pipe.read(1 << 16)
            if not chunk:
                break
            said += chunk
        else:
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return {**_outcome(said, os.waitstatus_to_exitcode(status)), "left": _left(child)}


def _outcome(said: bytes, code: int) -> dict[str, Any]:
    for kind, payload in frames.Reader(1 << 30, 1 << 30).feed(said):
        message = frames.parse(payload) if kind == frames.JSON else {}
        if message.get("event") == "refused":
            return {"code": message["code"], "detail": message["detail"]}
        if message.get("event") == "result":
            return {"code": "ready", "detail": ""}
    known = {-signal.SIGXCPU: "inspection_out_of_time", -signal.SIGKILL: "inspection_timeout"}
    return {"code": known.get(code, f"ended with {code}"), "detail": ""}


def _left(session: int) -> list[str]:
    """The processes that a file's code would have left behind, in the session of its fork."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:  # it just ended
            continue
        if int(rest.split()[3]) == session:
            found.append(name)
    return found


if __name__ == "__main__":
    main()
