"""The limit: what Granian's RSGI and onnxruntime reach with nothing between them.

No validation, no framework: a request that is off would be a traceback. ``/nothing`` answers
``{}`` without reading the body.
"""

import os
from typing import Any, Protocol

import numpy as np
import onnxruntime
import orjson

HEADERS = [("content-type", "application/json")]
NUMBERS = ("education", "experience")
TEXTS = ("role", "department", "city")

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BENCHMARK_MODEL"], options)


class Conversation(Protocol):
    """The part of Granian's RSGI protocol that is used here."""

    async def __call__(self) -> bytes: ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...


async def app(scope: Any, conversation: Conversation) -> None:
    """Answer a prediction, or nothing."""
    if scope.path == "/nothing":
        conversation.response_bytes(200, HEADERS, b"{}")
        return
    rows = orjson.loads(await conversation())["instances"]
    feeds = {name: np.array([[row[name]] for row in rows], np.float64) for name in NUMBERS}
    feeds |= {name: np.array([[row[name]] for row in rows], object) for name in TEXTS}
    (predictions,) = session.run(["prediction"], feeds)
    body = orjson.dumps({"predictions": predictions.ravel().tolist()})
    conversation.response_bytes(200, HEADERS, body)
