"""A model's process that answers as no honest one would: the first column's name says how."""

import struct
from typing import Any, BinaryIO

from models_hub.sandbox import frames

ONE = struct.pack("<d", 1.0)


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    frame = frames.read(given)
    assert frame is not None
    lie = frames.parse(frame[1])["names"][0]
    frames.write_json(pipe, {"event": lie if lie == "hello" else "serving"})
    while (question := frames.read(given)) is not None:
        number, rows = struct.unpack_from("<QI", question[1])
        honest = struct.pack("<QIB", number, rows, 0)
        if lie == "an error that is no text":
            frames.write_json(pipe, {"error": ["\x00"] * 9})
        elif lie == "a long error":
            pipe.write(frames.HEADER.pack(frames.JSON, 1 << 20) + b'{"error": [' + b"[]," * 300_000)
            pipe.flush()
        elif lie == "no JSON":
            pipe.write(frames.HEADER.pack(frames.JSON, 4) + b"nope")
            pipe.flush()
        else:
            frames.write_bytes(pipe, _lied(lie, number, rows, honest))


def _lied(lie: str, number: int, rows: int, honest: bytes) -> bytes:
    answers = {
        "nothing": b"",
        "half a head": honest[:7],
        "too few": honest + ONE * (rows - 1),
        "too many": honest + ONE * (rows + 1),
        "another count": struct.pack("<QIB", number, rows + 1, 0) + ONE * (rows + 1),
        "another question": struct.pack("<QIB", number + 1, rows, 0) + ONE * rows,
        "probabilities": struct.pack("<QIB", number, rows, 1) + ONE * rows * 2,
        "no number": honest + struct.pack("<d", float("nan")) * rows,
        "infinity": honest + ONE + struct.pack("<d", float("inf")) * (rows - 1),
        "an unknown label": honest + struct.pack("<I", 3) * rows,
        "few probabilities": struct.pack("<QIB", number, rows, 1) + bytes(4 * rows) + ONE * rows,
        "the truth": honest + ONE * rows,
    }
    return answers[lie]
