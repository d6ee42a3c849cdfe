"""Load on one address: wrk where it is installed, else threads of ours, which cost more."""

import http.client
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.servers import Broken

CONNECTIONS = 16
GENERATOR = "wrk" if shutil.which("wrk") else "Python threads (install wrk for steadier figures)"


def requests_per_second(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> float:
    """POST one body over 16 connections that stay open. Raises Broken unless all answer 200."""
    headers = {"Content-Type": "application/json", **headers}
    if GENERATOR == "wrk":
        return _wrk(url, headers, body, seconds)
    return _threads(url, headers, body, seconds)


def _wrk(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        content, script = Path(folder, "body"), Path(folder, "post.lua")
        content.write_bytes(body)
        lines = ['wrk.method = "POST"', f'wrk.body = io.open("{content}", "rb"):read("*a")']
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
        script.write_text("\n".join(lines))
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "30s"]
        done = subprocess.run(
            ["wrk", *options, "-s", str(script), url], capture_output=True, text=True, check=False
        )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if rate is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise Broken(f"{url} failed under load: {done.stdout}{done.stderr}")
    return float(rate[1])


def _threads(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> float:
    counts = [0] * CONNECTIONS
    end = time.perf_counter() + seconds

    def ask(place: int) -> None:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        while time.perf_counter() < end:
            connection.request("POST", parts.path, body, dict(headers))
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                counts[place] = -(10**9)
                return
            counts[place] += 1

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if min(counts) <= 0:
        raise Broken(f"{url} failed under load.")
    return sum(counts) / seconds
