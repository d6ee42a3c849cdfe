"""A judge that finds a row off in every graph, and judges natively as the real one does."""

from typing import Any, BinaryIO

from berth.signature import Signature
from models_hub.formats import Refused
from models_hub.sandbox import frames, judging
from models_hub.sandbox.tell import Voice


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    frame = frames.read(given)
    assert frame is not None
    claim = frames.parse(frame[1])
    if claim["why_native"] is None:
        figures: dict[str, object] = {"parity": {"rows": 2_000, "mismatches": 1}}
        Voice(pipe).refuse(Refused("parity_failed", "One of 2000 rows is off.", figures))
        return
    signature = Signature.from_json(claim["signature"])
    rows, _ = judging._rows(claim, signature, arguments)
    judging._judge_native(claim, signature, rows, given, pipe)
