"""The second child's job: a clean process that vets the graph and compares it on its own rows.

It takes the first child's word for nothing but what the original predicts. scikit-learn is not
imported here, nor anything that could read the upload.
"""

import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from berth.signature import Signature
from models_hub.conversion.loading import load
from models_hub.conversion.parity import Answers, compare, judge, latency_ms, predict
from models_hub.conversion.rows import parity_rows
from models_hub.conversion.sample import read_sample
from models_hub.formats import Refused
from models_hub.formats.onnx_vetting import vet
from models_hub.sandbox import frames
from models_hub.sandbox.tell import Voice, perform

GOLDEN = 20


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    """`arguments`: sample, target, seed. Given: what the opening told, then its graph."""
    perform(lambda voice, arguments: _judge(voice, arguments, given), arguments, pipe)


def _judge(voice: Voice, arguments: dict[str, Any], given: BinaryIO) -> None:
    reader = frames.Reader(sys.maxsize)
    (_, told), (_, graph) = reader.feed(given.read())
    claim = frames.parse(told)
    onnx = vet(graph).SerializeToString()  # ours: from here on nobody sees the first child's bytes
    signature = Signature.from_json(claim["signature"])
    sample = arguments["sample"]
    rows = read_sample(Path(sample), arguments["target"]).rows if sample else None
    spans = {name: (low, high) for name, (low, high) in claim["spans"].items()}
    columns = parity_rows(signature, spans, rows, arguments["seed"])
    kept = np.array(claim["kept"], dtype=np.int64)
    columns = {name: values[kept] for name, values in columns.items()}
    predictor = load(onnx, signature)
    got = predict(predictor, columns)
    parity = compare(_expected(claim, signature), got, columns)
    judge(parity)
    figures = {
        "parity": parity.to_json(),
        "latency": {"p50_ms": round(latency_ms(predictor, signature, columns), 4)},
        "golden": _golden(signature, columns, got),
    }
    voice.stage(
        "compared",
        f"{parity.rows} rows, largest difference {parity.max_relative_error:.2g} relative",
    )
    voice.result(figures, onnx)


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
