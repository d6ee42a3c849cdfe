"""Figures for Prometheus, in its text format 0.0.4.

A writer of our own, because several processes answer on one port and any of them may be scraped:
each leaves its figures beside the others' once a second, and whoever is asked adds them up. To
count is a dictionary's `+=`; prometheus_client, told to add up processes, writes to a mapped file
under a lock each time.
"""

import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import orjson

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
_STALE = 10.0  # seconds after which a process that left no figures is taken for dead
Labels: TypeAlias = tuple[tuple[str, str], ...]
#: What is asked for at each scrape: name → value, of this process alone.
Gauges: TypeAlias = Callable[[], dict[str, float]]

_HELP = {
    "berth_requests_total": ("counter", "Requests answered, by route and status."),
    "berth_request_seconds": (
        "histogram",
        "Seconds from a request's head to its answer, by route.",
    ),
    "berth_predictions_total": ("counter", "Calls answered with predictions, by model."),
    "berth_predicted_rows_total": ("counter", "Rows predicted, by model."),
    "berth_models": ("gauge", "Models that may be asked for here."),
    "berth_models_loaded": ("gauge", "Models in memory, all processes together."),
    "berth_models_loaded_bytes": ("gauge", "Bytes that they take."),
    "berth_models_evicted_total": ("counter", "Models that made room for others."),
    "berth_keys": ("gauge", "Keys that are honoured here."),
    "berth_feed_lag_seconds": ("gauge", "Seconds since the model feed was last heard."),
    "berth_keys_lag_seconds": ("gauge", "Seconds since the keys' feed was last heard."),
    "berth_journal_waiting_bytes": ("gauge", "Bytes of records that the portal has not taken yet."),
    "berth_journal_set_aside": ("gauge", "Files of records that the portal refused for good."),
    "berth_ready": ("gauge", "Processes that are ready."),
    "berth_processes": ("gauge", "Processes that answer."),
}
#: Of these each process knows the whole; they are not added up.
_SHARED = (
    "berth_models",
    "berth_keys",
    "berth_journal_waiting_bytes",
    "berth_journal_set_aside",
)
_LAGS = ("berth_feed_lag_seconds", "berth_keys_lag_seconds")


class Metrics:
    """One process's figures, and the sum of all processes that share `folder`."""

    def __init__(self, folder: Path, gauges: Gauges) -> None:
        self.folder = folder
        self._gauges = gauges
        self._mine = folder / f"{os.getpid()}.json"
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, list[float]] = {}
        self._calls: Counter[tuple[str, str]] = Counter()
        self._rows: Counter[tuple[str, str]] = Counter()

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answer. Called by the event loop's thread alone."""
        self._requests[route, status] += 1
        buckets = self._seconds.get(route)
        if buckets is None:
            buckets = self._seconds[route] = [0.0] * (len(BOUNDS) + 2)
        buckets[bisect_left(BOUNDS, seconds)] += 1
        buckets[-1] += seconds

    def predicted(self, organisation: str, model: str, rows: int) -> None:
        """Count a call of a model that there is: the labels stay as few as the models."""
        self._calls[organisation, model] += 1
        self._rows[organisation, model] += rows

    def leave(self) -> None:
        """Put this process's figures beside the others'. Raises OSError."""
        new = self._mine.with_suffix(".new")
        new.write_bytes(orjson.dumps(self._figures()))
        new.replace(self._mine)

    def text(self, organisation: str | None = None) -> str:
        """All processes' figures, as Prometheus reads them; only one organisation's own, where
        it is named."""
        total: dict[str, float] = {}
        processes = [self._figures(), *self._others()]
        for figures in processes:
            for series, value in figures.items():
                _add(total, series, value)
        total[_series("berth_processes")] = len(processes)
        if organisation is not None:
            total = {s: v for s, v in total.items() if _is_of(s, organisation)}
        return "".join(_lines(total))

    def _others(self) -> Iterable[dict[str, Any]]:
        for path in self.folder.glob("*.json"):
            if path == self._mine:
                continue
            with suppress(OSError, orjson.JSONDecodeError):
                if time.time() - path.stat().st_mtime < _STALE:
                    yield orjson.loads(path.read_bytes())

    def _figures(self) -> dict[str, float]:
        found = {_series(name): value for name, value in self._gauges().items()}
        for (route, status), count in list(self._requests.items()):
            labels = (("route", route), ("status", str(status)))
            found[_series("berth_requests_total", labels)] = count
        for route, buckets in list(self._seconds.items()):
            found |= _histogram("berth_request_seconds", (("route", route),), buckets)
        per_model = {
            "berth_predictions_total": self._calls,
            "berth_predicted_rows_total": self._rows,
        }
        for name, counter in per_model.items():
            for (organisation, model), count in list(counter.items()):
                labels = (("organisation", organisation), ("model", model))
                found[_series(name, labels)] = count
        return found


def _histogram(name: str, labels: Labels, buckets: list[float]) -> dict[str, float]:
    found, below = {}, 0.0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets[:-1], strict=True):
        below += count
        found[_series(f"{name}_bucket", (*labels, ("le", bound)))] = below
    found[_series(f"{name}_sum", labels)] = buckets[-1]
    found[_series(f"{name}_count", labels)] = below
    return found


def _series(name: str, labels: Labels = ()) -> str:
    """A series' name and labels as one text. Names of models and organisations are slugs:
    nothing in them needs escaping."""
    inner = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{inner}}}" if inner else name


def _is_of(series: str, organisation: str) -> bool:
    return series.partition("{")[2].startswith(f'organisation="{organisation}",')


def _add(total: dict[str, float], series: str, value: float) -> None:
    if series in _SHARED or series in _LAGS:
        total[series] = max(total.get(series, 0.0), value)
    else:
        total[series] = total.get(series, 0.0) + value


def _lines(total: dict[str, float]) -> Iterable[str]:
    for name, (kind, told) in _HELP.items():
        ours = {s: v for s, v in total.items() if _belongs(s, name, kind)}
        if ours:
            yield f"# HELP {name} {told}\n# TYPE {name} {kind}\n"
            yield from (f"{series} {value:.10g}\n" for series, value in ours.items())


def _belongs(series: str, name: str, kind: str) -> bool:
    base = series.partition("{")[0]
    ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
    return base in {name + end for end in ends}
