"""The dedicated model server: run beside the other servers, and started from its disk alone."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.installation import SLUG, Installation
from benchmarks.pipeline import Question
from benchmarks.servers import (
    WORKERS,
    Broken,
    Memory,
    answers,
    children,
    free_port,
    memory_of,
    running,
    wait_until,
)
from berth.bundle import seal
from berth.feed.manifest import Manifest, sealed
from berth.feed.store import Store
from berth.keys import digest, new_secret
from berth.server.keyring import KeyRing
from berth.signature import Signature

MODELS = 10
PLENTY = 1_000_000_000
NOBODY = "http://127.0.0.1:9"  # no portal: nothing listens there
ACME = "0193b0f0-0000-7000-8000-000000000001"


@contextmanager
def served(
    feed: str, token: str, folder: Path, processes: int, *options: str
) -> Iterator[tuple[str, int]]:
    """A model server that is ready: its address, and the process above all of its own."""
    port, log = free_port(), folder.with_suffix(".log")
    command = ["-m", "berth", "serve", "--feed", feed, "--token", token, "--folder", str(folder)]
    command += ["--port", str(port), "--processes", str(processes), *options]
    address = f"http://127.0.0.1:{port}"
    with running(command, {}, log) as process:
        wait_until(lambda: answers(f"{address}/v2/health/ready"), process, log, 0.005)
        yield address, process.pid


@contextmanager
def beside(there: Installation, folder: Path) -> Iterator[tuple[str, Path]]:
    """A server of the installation's with as many processes as the others have: where to ask,
    and its journal."""
    there.ask("PUT", f"/models/{SLUG}/deployments/dedicated", json={"is_active": True})
    with served(there.address, there.key, folder / "beside", WORKERS) as (address, _):
        yield f"{address}/v2/models/{SLUG}/infer", folder / "beside" / "journal"


def start(there: Installation, onnx: bytes, asked: Question, folder: Path) -> tuple[float, Memory]:
    """Seconds from a process's start to its first answer with MODELS models on its disk and no
    portal; and the memory of a process that has loaded none of them yet."""
    key, home = Ed25519PrivateKey.generate(), folder / "started"
    version = there.ask("GET", f"/models/{SLUG}/versions/1")
    signature = Signature.from_json(version["signature"])
    _fill(onnx, signature, key, Store(home, key.public_key()))
    secret = _let_in(home)
    pin = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    started = time.perf_counter()
    with served(NOBODY, "st_none", home, 1, "--public-key", pin) as (address, pid):
        (worker,) = children(pid)
        before = memory_of(worker)
        url = f"{address}/v2/models/model-0/infer"
        headers = {"Authorization": f"Bearer {secret}"}
        answer = httpx.post(url, content=asked.tensors, headers=headers)
        seconds = time.perf_counter() - started
        if answer.status_code != 200 or not asked.is_answered_by(answer.content):
            raise Broken(f"The model server's first answer is wrong: {answer.text[:300]}")
    return seconds, before


def _fill(onnx: bytes, signature: Signature, key: Ed25519PrivateKey, store: Store) -> None:
    """What a server that ran before left behind."""
    for number in range(MODELS):
        made = seal(onnx, signature, {"created_at": f"made {number}"}, key)
        line = {
            "schema": 1,
            "organisation": "acme",
            "organisation_id": ACME,
            "offset": number + 1,
            "type": "promoted",
            "model": f"model-{number}",
            "version": 1,
            "sha256": made.sha256,
            "size": len(made.data),
            "address": f"/api/v1/bundles/{made.sha256}",
            "runtime": "onnx",
            "signature": made.signature.to_json(),
            "architectures": ["dedicated"],
            "at": "2026-01-01T00:00:00.000Z",
        }
        manifest = Manifest.read(sealed(line, key), None)

        def write(into: Path, data: bytes = made.data) -> None:
            into.write_bytes(data)

        store.bring(manifest, write)
        store.apply(manifest)


def _let_in(home: Path) -> str:
    """A secret key that the server knows from its disk."""
    id_, secret = new_secret()
    ring = KeyRing(home / "keys.json")
    about = {"key": id_, "kind": "secret", "digest": digest(secret), "scopes": ["predict"]}
    limits = {"calls_per_minute": PLENTY, "organisation_calls_per_minute": PLENTY}
    of = {"organisation": "acme", "organisation_id": ACME, "revoked": False}
    ring.apply(1, {**about, **limits, **of})
    ring.save()
    return secret
