"""A job that runs what it is told: the code that an upload would bring."""

import json  # noqa: F401  (for the code)
import os  # noqa: F401
import sys  # noqa: F401
import time  # noqa: F401
from typing import Any, BinaryIO

from models_hub.sandbox import frames  # noqa: F401


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    exec(arguments["code"], {**globals(), "arguments": arguments, "given": given, "pipe": pipe})
