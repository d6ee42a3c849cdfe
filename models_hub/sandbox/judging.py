"""The second child's job: a clean process that vets the graph and compares it on its own rows.

It takes the first child's word for nothing but what the original predicts. scikit-learn is not
imported here, nor anything that could read the upload. Where there is no graph, it asks: its rows
go out, and what comes back is compared. Where there is one, it is told as soon as it was compared;
the browser's lane is a second result, which takes longer.
"""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from berth.signature import Signature
from models_hub.browser.measuring import measure
from models_hub.conversion.answers import Answers
from models_hub.conversion.draw import draw
from models_hub.conversion.loading import load
from models_hub.conversion.parity import Parity, compare, judge, latency_ms, predict
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.sample import read_sample
from models_hub.formats import Refused
from models_hub.formats.onnx_vetting import vet
from models_hub.sandbox import frames, packing
from models_hub.sandbox.tell import Voice, perform

GOLDEN = 20
QUESTION = 1


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    """`arguments`: sample, target, seed. Given: what the opening told, then its graph.

    Without a graph (`why_native`) the first thing said is a question (`packing`), and what is
    given next is the model's answer.
    """
    perform(lambda voice, arguments: _judge(voice, arguments, given, pipe), arguments, pipe)


def _judge(voice: Voice, arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    claim = frames.parse(_next(given))
    signature = Signature.from_json(claim["signature"])
    if claim["why_native"] is None:
        _judge_graph(voice, claim, signature, arguments, _next(given))
    else:
        columns, _ = _rows(claim, signature, arguments)
        _judge_native(claim, signature, columns, given, pipe)


def _next(given: BinaryIO) -> bytes:
    frame = frames.read(given)
    if frame is None:
        raise Refused("inspection_garbled", "There was nothing to judge.")
    return frame[1]


def _rows(
    claim: dict[str, Any], signature: Signature, arguments: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    """Those of our own rows that the original answers, by the first child's word; and how many of
    the last of them were drawn and so are nobody's."""
    sample = arguments["sample"]
    rows = read_sample(Path(sample), arguments["target"]).rows if sample else None
    spans = {name: (low, high) for name, (low, high) in claim["spans"].items()}
    columns = parity_rows(signature, spans, rows, arguments["seed"])
    kept = np.array(claim["kept"], dtype=np.int64)
    total, drawn = (_height(some) for some in (columns, draw(signature, spans, arguments["seed"])))
    made = int((kept >= total - drawn).sum())
    return {name: values[kept] for name, values in columns.items()}, made


def _height(columns: dict[str, Any]) -> int:
    return len(next(iter(columns.values())))


def _judge_graph(
    voice: Voice,
    claim: dict[str, Any],
    signature: Signature,
    arguments: dict[str, Any],
    graph: bytes,
) -> None:
    model = vet(graph)  # ours: from here on nobody sees the first child's bytes
    onnx = model.SerializeToString()
    columns, made = _rows(claim, signature, arguments)
    predictor = load(onnx, signature)
    got = predict(predictor, columns)
    parity = compare(_expected(claim, signature), got, columns)
    judge(parity)
    figures = {
        "parity": parity.to_json(),
        "latency": {"p50_ms": round(latency_ms(predictor, signature, columns), 4)},
        "golden": _golden(signature, columns, got),
    }
    voice.stage("compared", _summary(parity))
    voice.result(figures, onnx)
    browser = measure(model, signature, columns, made, got)
    voice.result({"browser": browser.report}, browser.data)


def _summary(parity: Parity) -> str:
    return f"{parity.rows} rows, largest difference {parity.max_relative_error:.2g} relative"


def _judge_native(
    claim: dict[str, Any],
    signature: Signature,
    columns: dict[str, Any],
    given: BinaryIO,
    pipe: BinaryIO,
) -> None:
    """Does the process that is going to serve answer as the one did that opened the file?"""
    frames.write_bytes(pipe, packing.pack_question(QUESTION, signature, columns))
    rows = len(claim["kept"])
    found = packing.unpack_answer(QUESTION, rows, signature, _next(given))
    got = Answers(found.values, found.probabilities)
    parity = compare(_expected(claim, signature), got, columns)
    if parity.mismatches:
        raise Refused(
            "not_deterministic",
            f"In a second process the model answers {parity.mismatches} of {parity.rows} rows "
            "differently, so there is no telling which answer is right: give whatever draws at "
            "random as it predicts a random_state.",
            {"parity": parity.to_json()},
        )
    judge(parity)
    told = {"parity": parity.to_json(), "golden": _golden(signature, columns, got)}
    frames.write_json(pipe, {"event": "result", **told, "detail": _summary(parity)})


def _expected(claim: dict[str, Any], signature: Signature) -> Answers:
    chances = claim["probabilities"]
    dtype: Any = object if signature.output.labels is not None else float
    values = np.empty(len(claim["values"]), dtype=dtype)
    values[:] = claim["values"]
    if len(values) != len(claim["kept"]) or (chances is not None and dtype is float):
        raise Refused("inspection_garbled", "The conversion's predictions do not fit its rows.")
    return Answers(values, None if chances is None else np.array(chances, dtype=float))


def _golden(signature: Signature, columns: dict[str, Any], got: Answers) -> dict[str, Any]:
    """A few rows with their answers, which a Bundle carries so that each machine can check it."""
    count = min(GOLDEN, len(got.values))
    names = [field.name for field in signature.inputs]
    missing = {field.name: "" if field.type == "string" else None for field in signature.inputs}
    rows = [
        {name: _shown(columns[name][row, 0], missing[name]) for name in names}
        for row in range(count)
    ]
    golden: dict[str, Any] = {"instances": rows, "predictions": got.values[:count].tolist()}
    if got.probabilities is not None:
        golden["probabilities"] = got.probabilities[:count].tolist()
    return golden


def _shown(value: Any, missing: Any) -> Any:
    if missing == "":
        return value if value else None
    return None if np.isnan(value) else float(value)
