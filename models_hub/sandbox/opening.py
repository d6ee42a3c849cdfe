"""The first child's job: open the upload, infer, convert, and say what the original predicts."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from models_hub.conversion.pace import median_ms
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.sample import read_sample
from models_hub.conversion.task import Converted
from models_hub.formats import FORMATS, Opened, Refused
from models_hub.sandbox import lean
from models_hub.sandbox.tell import Voice, perform


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    """`arguments`: path, format, sample, target, seed, own_code. Nothing is given."""
    perform(_open, arguments, pipe)


def _open(voice: Voice, arguments: dict[str, Any]) -> None:
    path, form = Path(arguments["path"]), FORMATS[arguments["format"]]
    if form.name != "onnx":
        lean.import_sklearn()
    opened = form.open(path, arguments["own_code"])
    voice.stage("inspected", _described(opened.facts))
    sample, target = arguments["sample"], arguments["target"]
    rows = read_sample(Path(sample), target) if sample else None
    names = [] if rows is None else rows.names
    seed = arguments["seed"]
    if form.name == "onnx":
        # imported here since each kind of file needs other libraries, and these cost seconds
        from models_hub.conversion.adopt import adopt

        converted, pace = adopt(opened.model, rows, target, seed, voice.stage), None
    else:
        from models_hub.conversion.convert import convert

        why_native = _own_code(opened)
        converted = convert(opened.model, rows, target, seed, voice.stage, why_native)
        pace = _pace(opened.model, names, converted, None if rows is None else rows.rows, seed)
    told, graph = _told(converted, opened.facts)
    voice.result({**told, "names": names, "native_p50_ms": pace}, graph)


def _own_code(opened: Opened) -> Refused | None:
    """Why such a file is not converted: code that its author wrote decides what it predicts."""
    if not opened.own_code:
        return None
    return Refused(
        "not_convertible",
        "It brings code of its own, which runs inside the sandbox and nowhere else.",
    )


def _pace(
    model: Any, names: list[str], converted: Converted, sample: Any, seed: int
) -> float | None:
    """How long the model itself takes for a row: for the report alone. In ms."""
    from models_hub.conversion.original import original_of  # see _open

    rows = parity_rows(converted.signature, converted.spans, sample, seed)
    answered = {name: cells[converted.mask] for name, cells in rows.items()}
    try:
        return median_ms(original_of(model, names or None).ask, answered, calls=20, seconds=0.1)
    except Exception:  # noqa: BLE001 - a stranger's pipeline may raise anything, even now
        return None


def _described(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in facts.items() if value != "")


def _told(converted: Converted, facts: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    expected = converted.expected
    chances = None if expected.probabilities is None else expected.probabilities.tolist()
    why = converted.why_native
    return {
        "facts": facts,
        "signature": converted.signature.to_json(),
        "spans": {name: list(span) for name, span in converted.spans.items()},
        "kept": np.flatnonzero(converted.mask).tolist(),
        "values": expected.values.tolist(),
        "probabilities": chances,
        "why_native": None
        if why is None
        else {"code": why.code, "detail": why.detail, "figures": why.figures},
    }, converted.onnx or b""
