"""What was measured, as tables, with the targets beside it."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

from benchmarks.load import CONNECTIONS, GENERATOR
from benchmarks.servers import WORKERS, Memory

BERTH = "Berth: key, limits, validation, journal"
DEDICATED = "Berth's model server, the same"
FASTAPI = "Plain FastAPI + onnxruntime (uvicorn)"
TUNED = "Tuned FastAPI + onnxruntime (Granian, uvloop)"
MLSERVER = "MLServer’s scikit-learn runtime"
BARE = "Granian RSGI + onnxruntime, nothing else"
NOTHING = "Granian RSGI answering {}"
TARGETS = {1: 0.8, 1_000: 3.0}  # of plain FastAPI's requests a second, by rows a request
ARRIVED_SECONDS = {"embedded": 2.0, "dedicated": 1.0, "published": 1.0}
# Of the model server's requests a second, to those of others.
DEDICATED_TARGETS = {1: {BARE: 0.8, FASTAPI: 1.8, MLSERVER: 20.0}, 1_000: {FASTAPI: 3.0}}
FIRST_ANSWER_SECONDS = 2.0
MOST_MB = 200
MOST_SERVER_MB = 120
MOST_WALL_MS = 50
MOST_NATIVE_MS = 15
FIRST_PREDICTION_MS = 100
MOST_OF_SCRIPT = {"boosting": 1.0}
PACKAGES = ("django", "djangorestframework", "granian", "onnxruntime", "fastapi", "pydantic")


def machine() -> None:
    """What was measured on."""
    load = os.getloadavg()[0]
    print(f"{_processor()}, {os.cpu_count()} processors, load {load:.1f} at the start")
    print(f"Python {platform.python_version()}, {', '.join(f'{p} {version(p)}' for p in PACKAGES)}")
    print(f"{WORKERS} workers each, {CONNECTIONS} connections, load by {GENERATOR}\n")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def rates(rows: int, measured: dict[str, list[float]]) -> None:
    """Medians, and each server's ratio to plain FastAPI: the median of the rounds' own ratios."""
    print(f"{rows:,} row{'s' * (rows > 1)} a request")
    print(f"{'':48}{'requests/s':>12}{'to plain':>12}  lowest to highest")
    for name, each in measured.items():
        ratio = median(a / b for a, b in zip(each, measured[FASTAPI], strict=True))
        spread = f"{min(each):,.0f} to {max(each):,.0f}"
        print(f"{name:48}{median(each):12,.0f}{ratio:12.2f}  {spread}")
    reached = median(a / b for a, b in zip(measured[BERTH], measured[FASTAPI], strict=True))
    print(f"Target: {TARGETS[rows]:g} times plain FastAPI. {_verdict(reached >= TARGETS[rows])}")
    for name, target in DEDICATED_TARGETS[rows].items():
        if name not in measured:
            print(f"{name} is not installed (make mlserver).")
            continue
        reached = median(a / b for a, b in zip(measured[DEDICATED], measured[name], strict=True))
        verdict = f"{reached:.2f}. {_verdict(reached >= target)}"
        print(f"Target of the model server: {target:g} times {name}: {verdict}")
    print()


def started(seconds: float, process: Memory) -> None:
    """A model server that starts from its disk."""
    print("Berth's model server, one process, ten models on its disk, no portal")
    print(f"{'':48}{seconds:8.2f} s from its start to its first answer")
    print(f"Target: {FIRST_ANSWER_SECONDS:g} s. {_verdict(seconds <= FIRST_ANSWER_SECONDS)}")
    print(
        f"{'':48}{process.rss:8.0f} MB resident with no model loaded, {process.pss:.0f} its share"
    )
    print(f"Target: {MOST_SERVER_MB} MB. {_verdict(process.rss <= MOST_SERVER_MB)}\n")


def in_browser(milliseconds: Sequence[float] | None) -> None:
    """The light lane in new pages; None where there is no browser."""
    if milliseconds is None:
        print("The light lane was not measured: Chromium is not installed.\n")
        return
    print("The light lane in Chromium, from the model's bytes to the first prediction, new pages")
    spread = f"{min(milliseconds):.1f} to {max(milliseconds):.1f}"
    print(f"{'':48}{median(milliseconds):12.1f} ms  {spread}")
    reached = _verdict(median(milliseconds) < FIRST_PREDICTION_MS)
    print(f"Target: {FIRST_PREDICTION_MS} ms. {reached}\n")


def memory(models: int, workers: Sequence[Memory]) -> None:
    """Each web worker's memory, of which the larger resident one counts."""
    print(f"Berth's web workers with {models} models loaded each")
    for worker in workers:
        print(f"{'':48}{worker.rss:8.0f} MB resident, {worker.pss:.0f} MB its share")
    fits = max(worker.rss for worker in workers) <= MOST_MB
    print(f"Target: {MOST_MB} MB a worker. {_verdict(fits)}")


def native(rounds: Sequence[tuple[float, float]]) -> None:
    """What a model without ONNX takes for a row, over HTTP and in its own process."""
    print("A classifier of neighbours without ONNX, one row a request, one after the other")
    for name, each in zip(
        ("Berth, over HTTP", "pipeline.predict"), zip(*rounds, strict=True), strict=True
    ):
        print(f"{name:48}{median(each):12.1f} ms  {min(each):.1f} to {max(each):.1f}")
    print(f"{'Ratio':48}{median(served / here for served, here in rounds):12.2f}")
    reached = median(served for served, _ in rounds) < MOST_NATIVE_MS
    print(f"Target: {MOST_NATIVE_MS} ms at the median. {_verdict(reached)}\n")


def walls(seconds: Mapping[str, float]) -> None:
    """What each form of the sandbox adds to a child that has none ("process")."""
    print("A child of an inspection, from its start through its imports to its end")
    for form, each in seconds.items():
        print(f"{form:48}{each * 1000:12,.0f} ms{(each - seconds['process']) * 1000:+10,.0f} ms")
    most = max(each - seconds["process"] for each in seconds.values())
    print(f"Target: {MOST_WALL_MS} ms for the walls. {_verdict(most * 1000 <= MOST_WALL_MS)}\n")


def promotions(seconds: Mapping[str, Sequence[float]], calls: Mapping[str, int]) -> None:
    """From a promotion to the last answer of the version before it, at each door."""
    count = max(map(len, seconds.values()))
    print(f"{count} promotions under load, until the old version's last answer")
    print(f"{'':48}{'median':>12}{'99th percentile':>18}{'answered':>12}{'failed':>8}")
    for door, each in seconds.items():
        last = quantiles(each, n=100, method="inclusive")[98]
        print(f"{door:48}{median(each):10.2f} s{last:16.2f} s{calls[door]:12,}{0:8}")
        verdict = _verdict(last <= ARRIVED_SECONDS[door])
        print(f"  Target: {ARRIVED_SECONDS[door]:g} s at the 99th percentile. {verdict}")
    print()


def offline(rows: int, measured: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Jobs and plain scripts on the same file, each from its start to its end."""
    print(f"{rows:,} rows of a CSV file, from the POST to the job’s end, and by a plain script")
    print(f"{'':48}{'job':>12}{'script':>12}{'ratio':>8}")
    for name, pairs in measured.items():
        job, script = (median(each) for each in zip(*pairs, strict=True))
        ratio = median(a / b for a, b in pairs)
        print(f"{name:48}{job:10.1f} s{script:10.1f} s{ratio:8.2f}")
        if name in MOST_OF_SCRIPT:
            most = MOST_OF_SCRIPT[name]
            print(f"Target: {most:g} times the script’s time. {_verdict(ratio <= most)}")
    print()


def _verdict(reached: bool) -> str:
    return "Reached." if reached else "Missed."
