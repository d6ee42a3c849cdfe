"""``make bench``: live predictions beside FastAPI, plain and tuned, and beside the bare limit.

All servers run the same ONNX graph on two workers each, one after another in alternating rounds
on one machine together with the load generator: read the ratios, not the absolute figures.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
from sklearn.pipeline import Pipeline

from benchmarks import (
    browser,
    dedicated,
    load,
    mlserver,
    native,
    offline,
    promotions,
    report,
    shelves,
    walls,
)
from benchmarks.installation import Installation, berth, load_versions, upload
from benchmarks.pipeline import Question, question, train
from benchmarks.servers import Broken, granian, memory_of, uvicorn, web_workers

MODELS = 50
PROMOTIONS = 50
JOBS, JOB_ROWS = 10, 1_000_000
PARTS = (
    "walls", "servers", "browser", "start", "promotions", "rows", "jobs", "native", "memory"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server is asked, and which form of a question it takes."""

    url: str
    form: str = "body"

    def body(self, asked: Question) -> bytes:
        found: bytes = getattr(asked, self.form)
        return found


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder, ExitStack() as stack:
        # PostgreSQL, started by root, runs as somebody else, who has to pass through.
        Path(folder).chmod(0o755)
        try:
            _run(Path(folder), stack, arguments)
        except Broken as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--seconds", type=int, default=4, metavar="S", help="of each measurement")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="default all")
    return parser.parse_args()


def _run(folder: Path, stack: ExitStack, arguments: argparse.Namespace) -> None:
    report.machine()
    pipeline, rounds = train(), arguments.rounds
    there = stack.enter_context(berth(folder))
    model = folder / "model.onnx"
    model.write_bytes(upload(there, pipeline))
    one, many = (question(pipeline, rows) for rows in (1, 1_000))
    row = json.loads(one.body)["instances"][0]
    parts: dict[str, Callable[[], None]] = {
        "walls": lambda: report.walls(walls.measure(3 * rounds)),
        "servers": lambda: _servers(there, folder, pipeline, model, (one, many), arguments),
        "browser": lambda: report.in_browser(browser.first_predictions(pipeline, one, 4 * rounds)),
        "start": lambda: report.started(*dedicated.start(there, model.read_bytes(), one, folder)),
        "promotions": lambda: report.promotions(
            *promotions.measure(there, row, folder, PROMOTIONS)
        ),
        "rows": lambda: shelves.show(shelves.measure(there, JOBS, JOB_ROWS, questions=200)),
        "jobs": lambda: report.offline(offline.ROWS, offline.measure(there, folder, rounds)),
        "native": lambda: report.native(native.measure(there, rounds)),
        "memory": lambda: _memory(there, one),
    }
    for name in PARTS:
        if name in arguments.only:
            parts[name]()


def _servers(
    there: Installation,
    folder: Path,
    pipeline: Pipeline,
    model: Path,
    questions: Sequence[Question],
    arguments: argparse.Namespace,
) -> None:
    """Requests a second of each server."""
    with ExitStack() as stack:
        plain, tuned, bare = (
            stack.enter_context(server)
            for server in (
                uvicorn("benchmarks.plain_fastapi:app", model, folder / "plain.log"),
                granian("benchmarks.tuned_fastapi:app", "asgi", model, folder / "tuned.log"),
                granian("benchmarks.bare:app", "rsgi", model, folder / "bare.log"),
            )
        )
        infer, journal = stack.enter_context(dedicated.beside(there, folder))
        doors = {
            report.BERTH: Door(there.predict),
            report.DEDICATED: Door(infer, "tensors"),
            report.FASTAPI: Door(f"{plain}/predict"),
            report.TUNED: Door(f"{tuned}/predict"),
            report.BARE: Door(f"{bare}/predict"),
        }
        if mlserver.is_installed():
            url = stack.enter_context(mlserver.served(pipeline, folder))
            doors[report.MLSERVER] = Door(url, "typed")
        for name, door in doors.items():
            for asked in questions:
                _check(name, door, there.headers, asked)
        for asked in questions:
            also = {report.NOTHING: Door(f"{bare}/nothing")} if asked.rows == 1 else {}
            rates = _rounds({**doors, **also}, there, journal, asked, arguments)
            report.rates(asked.rows, rates)


def _memory(there: Installation, asked: Question) -> None:
    load_versions(there, MODELS, asked.body)
    report.memory(MODELS, [memory_of(pid) for pid in web_workers(there.pid)])


def _check(name: str, door: Door, headers: dict[str, str], asked: Question) -> None:
    """A server that answers wrongly is not worth timing."""
    content = {"Content-Type": "application/json", **headers}
    response = httpx.post(door.url, content=door.body(asked), headers=content, timeout=60)
    if response.status_code != 200 or not asked.is_answered_by(response.content):
        raise Broken(f"{name} does not predict what the pipeline does: {response.text[:300]}")


def _rounds(
    doors: dict[str, Door],
    there: Installation,
    journal: Path,
    asked: Question,
    arguments: argparse.Namespace,
) -> dict[str, list[float]]:
    """Requests a second of each server, round by round; the first round only warms up."""
    rates: dict[str, list[float]] = {name: [] for name in doors}
    for lap in range(arguments.rounds + 1):
        for name, door in doors.items():
            seconds = arguments.seconds if lap else 2
            body = door.body(asked)
            rate = load.requests_per_second(door.url, there.headers, body, seconds)
            there.settle(journal)
            if lap:
                rates[name].append(rate)
    return rates


if __name__ == "__main__":
    sys.exit(main())
