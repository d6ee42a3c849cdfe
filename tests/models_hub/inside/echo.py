"""A job that serves: it gives back what it gets, and does as it is told."""

import sys
import time
from typing import Any, BinaryIO

from models_hub.sandbox import frames


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    frames.write_json(pipe, {"loaded": True})
    while (message := frames.read(given)) is not None:
        _, request = message
        if request == b"sleep":
            time.sleep(60)
        elif request == b"die":
            sys.exit(3)
        elif request == b"twice":
            frames.write_bytes(pipe, request)
        frames.write_bytes(pipe, _hoarded() if request == b"hoard" else request)


def _hoarded() -> bytes:
    try:
        return b"taken" if bytearray(8 << 30) else b""
    except MemoryError:
        return b"refused"
