"""Does the compact form answer as the graph does? A JavaScript engine is asked the judge's rows.

The engine is QuickJS, which compiles nothing to machine code and so runs inside the sandbox as it
is: no system call but those for memory, a bound on its own memory and on its time.
"""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import quickjs  # type: ignore[import-untyped]  # it comes without types
from onnx import ModelProto

from berth.signature import Signature
from models_hub import compact
from models_hub.browser.compiler import compile
from models_hub.browser.drafting import NotInLane
from models_hub.conversion.answers import Answers
from models_hub.conversion.parity import MIN_ROWS, TOLERANCE, compare

LIGHT_JS = Path(__file__).parents[1] / "static" / "berth" / "widget" / "light.js"
MEMORY = 1 << 30  # bytes that the engine may take
SECONDS = 25.0  # of processor time that the comparison may take
FEW = 20  # rows that tell how long all will take
CHECKED = 8  # made rows that the file carries
_START = """
globalThis.model = null;
globalThis.answer = (rows) => JSON.stringify(model.predict(JSON.parse(rows)));
globalThis.load = (text) => { model = open(Uint8Array.fromBase64(text).buffer); model.verify(); };
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`data` is the file for a page; `report` goes into the version's report."""

    data: bytes
    report: dict[str, Any]


class Engine:
    """The light lane in QuickJS. Raises NotInLane where it fails."""

    def __init__(self, data: bytes) -> None:
        self._context = quickjs.Context()
        self._context.set_memory_limit(MEMORY)
        self._context.set_time_limit(SECONDS)
        self._context.module(LIGHT_JS.read_text() + _START)
        self._run("load", base64.b64encode(data).decode())

    def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Answers as `light.js` gives them: predictions and, if there are any, probabilities."""
        found: dict[str, Any] = json.loads(self._run("answer", json.dumps(rows)))
        return found

    def _run(self, name: str, argument: str) -> Any:
        try:
            return self._context.get(name)(argument)
        except quickjs.JSException as error:
            raise NotInLane(_first_line(str(error))) from error


def measure(
    model: ModelProto, signature: Signature, columns: Mapping[str, Any], made: int, got: Answers
) -> Outcome:
    """The better lane's file and what was found. `got` is what the server answers for the rows
    `columns`, of which the last `made` were made up from the signature and are nobody's."""
    check = _check(columns, made, got)
    try:
        data = compile(model, signature.to_json(), check)
        report = _compared(data, columns, got)
    except NotInLane as reason:
        return _heavy(model, signature, check, f"The light lane can’t run it: {reason}.")
    if len(data) > compact.LARGEST:
        return _heavy(model, signature, check, "Its compact form is too large for a page.")
    return Outcome(data, {**_open(data, compact.LIGHT), "reason": "", "light": report})


def _heavy(model: ModelProto, signature: Signature, check: dict[str, Any], reason: str) -> Outcome:
    """The graph as it is, for onnxruntime's build for browsers, unless it is too large."""
    onnx = model.SerializeToString()
    header = {
        "lane": compact.HEAVY,
        "signature": signature.to_json(),
        "about": {},
        "check": check,
        "inputs": [value.name for value in model.graph.input],
        "outputs": [value.name for value in model.graph.output],
    }
    data = compact.pack(header, onnx)
    closed = {"closed": reason}
    if len(data) > compact.LARGEST:
        detail = f"{reason} As ONNX it has {len(onnx):,} bytes: too many for a page."
        report = {"available": False, "reason": detail, "bytes": len(onnx), "lane": None}
        return Outcome(b"", {**report, "light": closed})
    told = f"{reason} onnxruntime’s build for browsers runs it, at 3.6 MB more to load once."
    return Outcome(data, {**_open(data, compact.HEAVY), "reason": told, "light": closed})


def _open(data: bytes, lane: str) -> dict[str, Any]:
    return {"available": True, "lane": lane, "bytes": len(data)}


def _compared(data: bytes, columns: Mapping[str, Any], got: Answers) -> dict[str, Any]:
    """The lane's answers against the server's. Raises NotInLane unless all agree."""
    rows = instances(columns)
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MIN_ROWS)).astype(int))
    if len(places) < MIN_ROWS:
        raise NotInLane(f"only {len(places)} rows could be compared")
    engine = Engine(data)
    started = time.process_time()
    engine.predict(rows[:FEW])
    if (time.process_time() - started) * len(places) / FEW > SECONDS * 0.8:
        raise NotInLane("it has too many trees to be compared here in time")
    found = engine.predict([rows[place] for place in places])
    there = _answers(found, got)
    parity = compare(got.take(places), there, {k: v[places] for k, v in columns.items()})
    if parity.mismatches or _worst(got.take(places), there) > TOLERANCE:
        raise NotInLane(f"it answers {max(parity.mismatches, 1)} of {parity.rows} rows otherwise")
    return {"rows": parity.rows, "worst": parity.max_relative_error, "mismatches": 0}


def _worst(due: Answers, got: Answers) -> float:
    """Labels must be equal even where the two likeliest tie: 1 if one is not."""
    if due.values.dtype == float and due.probabilities is None:
        return 0.0
    return float(due.values.tolist() != got.values.tolist())


def _answers(found: Mapping[str, Any], like: Answers) -> Answers:
    values: Any = np.empty(len(found["predictions"]), dtype=like.values.dtype)
    values[:] = found["predictions"]
    chances = found.get("probabilities")
    return Answers(values, None if chances is None else np.array(chances, dtype=float))


def instances(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows as a page has them: what is missing is null."""
    lists = {
        name: [_cell(cell) for cell in cells[:, 0].tolist()] for name, cells in columns.items()
    }
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value or None
    return None if value != value else value


def _check(columns: Mapping[str, Any], made: int, got: Answers) -> dict[str, Any]:
    """The last made rows that the model answers, which are nobody's own."""
    count = min(made, CHECKED)
    start = len(got.values) - count
    tail = {name: cells[start:] for name, cells in columns.items()}
    found = {"rows": instances(tail), "predictions": got.values[start:].tolist()}
    if got.probabilities is not None:
        found["probabilities"] = got.probabilities[start:].tolist()
    return found


def _first_line(text: str) -> str:
    line = text.splitlines()[0] if text else "it fails"
    return line.removeprefix("Error: ")[:200].rstrip(".")
