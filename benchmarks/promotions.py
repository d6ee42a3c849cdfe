"""From a promotion to the new version answering everywhere, under load, and nothing failing.

Two versions take turns. Meanwhile each door is asked without a pause, and every answer says which
version gave it. A promotion has arrived at a door once nobody gets another version there: what is
measured is the time from the moment before it was asked for to the last answer of the old one.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import orjson

from benchmarks.dedicated import served
from benchmarks.installation import SLUG, Installation
from benchmarks.servers import Broken, running, wait_until

CALLERS = 2  # threads that ask each door
PAUSE = 0.004  # seconds between two calls of a thread
BETWEEN = 3.0  # seconds between two promotions, beyond every target
Heard = list[tuple[float, str]]


def measure(
    there: Installation, row: Mapping[str, object], folder: Path, count: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of each of `count` promotions at each door, and how many calls were answered.

    Raises Broken when a single call failed.
    """
    other = _two_versions(there)
    with ExitStack() as stack:
        doors = {
            "embedded": stack.enter_context(_asked(_embedded(there, row))),
            "dedicated": stack.enter_context(_dedicated(there, row, folder)),
        }
        followed = stack.enter_context(_published(there, row, folder))
        moments = [_promoted(there, (1, other)[n % 2 == 0]) for n in range(count)]
    doors["published"] = followed
    for door, heard in doors.items():
        if failed := [said for _, said in heard if said.startswith("failed")]:
            raise Broken(f"{len(failed)} calls failed, {door}: {failed[0]}")
    seconds = {door: _seconds(heard, moments) for door, heard in doors.items()}
    return seconds, {door: len(heard) for door, heard in doors.items()}


def _two_versions(there: Installation) -> int:
    """The model everywhere, and the number of a second version of it."""
    for architecture in ("dedicated", "published"):
        path = f"/models/{SLUG}/deployments/{architecture}"
        there.ask("PUT", path, json={"is_active": True})
    changes = {"inputs": [{"name": "education", "help": "The other version."}]}
    made = there.ask("POST", f"/models/{SLUG}/versions/1/signature", json=changes)
    return int(str(made["number"]))


def _promoted(there: Installation, number: int) -> tuple[float, str]:
    """When it was asked for, and what has to answer from then on."""
    moment = time.time()
    there.ask("POST", f"/models/{SLUG}/versions/{number}/promote")
    time.sleep(BETWEEN)
    return moment, str(number)


def _seconds(heard: Heard, moments: list[tuple[float, str]]) -> list[float]:
    """Of each promotion the time until the last answer of another version."""
    ends = [moment for moment, _ in moments[1:]] + [float("inf")]
    found = []
    for (start, version), end in zip(moments, ends, strict=True):
        old = [at for at, said in heard if start < at < end and said != version]
        if not any(start < at < end and said == version for at, said in heard):
            raise Broken(f"Version {version} never answered.")
        found.append(max(old, default=start) - start)
    return found


@contextmanager
def _asked(ask: Callable[[], str]) -> Iterator[Heard]:
    """Threads that ask all the while; `ask` gives the version that answered."""
    heard: Heard = []
    over = threading.Event()

    def go() -> None:
        while not over.is_set():
            try:
                said = ask()
            except Exception as error:  # noqa: BLE001  # a call that failed, whatever it is
                said = f"failed: {error}"
            heard.append((time.time(), said))
            time.sleep(PAUSE)

    threads = [threading.Thread(target=go) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield heard
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _embedded(there: Installation, row: Mapping[str, object]) -> Callable[[], str]:
    client = httpx.Client(headers=there.headers, timeout=30)
    body = {"instances": [row]}
    return lambda: str(_said(client.post(there.predict, json=body))["version"])


def _said(response: httpx.Response) -> dict[str, object]:
    response.raise_for_status()
    return dict(response.json())


@contextmanager
def _dedicated(there: Installation, row: Mapping[str, object], folder: Path) -> Iterator[Heard]:
    """A model server with one process, and who asks it."""
    client = httpx.Client(headers=there.headers, timeout=30)
    body = {"inputs": [_tensor(name, value) for name, value in row.items()]}

    with served(there.address, there.key, folder / "served", 1) as (address, _):
        url = f"{address}/v2/models/{SLUG}/infer"
        with _asked(lambda: str(_said(client.post(url, json=body))["model_version"])) as heard:
            yield heard


def _tensor(name: str, value: object) -> dict[str, object]:
    datatype = "BYTES" if isinstance(value, str) else "FP64"
    return {"name": name, "datatype": datatype, "shape": [1], "data": [value]}


@contextmanager
def _published(there: Installation, row: Mapping[str, object], folder: Path) -> Iterator[Heard]:
    """An application with a Subscriber. What it heard is there when the context ends."""
    log, heard = folder / "following.log", Heard()
    key = str(there.ask("GET", "/server/public-key")["ed25519"])
    told = [there.address, there.key, key, str(folder / "followed"), orjson.dumps(row).decode()]
    with running(["-m", "benchmarks.following", *told], {}, log) as process:
        wait_until(lambda: log.stat().st_size > 0, process, log)
        yield heard
    for line in log.read_text().split("\n")[:-1]:  # the last one may be cut off
        at, _, said = line.partition(" ")
        heard.append((float(at), said))
