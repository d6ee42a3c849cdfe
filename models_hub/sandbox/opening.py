"""The first child's job: open the upload, infer, convert, and say what the original predicts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from models_hub.conversion.sample import read_sample
from models_hub.conversion.task import Converted
from models_hub.formats import FORMATS
from models_hub.sandbox.tell import Voice, perform


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    """`arguments`: path, format, sample, target, seed. Nothing is given."""
    perform(_open, arguments, pipe)


def _open(voice: Voice, arguments: dict[str, Any]) -> None:
    path, form = Path(arguments["path"]), FORMATS[arguments["format"]]
    opened = form.open(path)
    voice.stage("inspected", _described(opened.facts))
    sample, target = arguments["sample"], arguments["target"]
    rows = read_sample(Path(sample), target) if sample else None
    converted = _work(form.name)(opened.model, rows, target, arguments["seed"], voice.stage)
    voice.result(*_told(converted, opened.facts))


def _work(format: str) -> Callable[..., Converted]:
    """The step from an open file to a graph. Imported here since each kind of file needs other
    libraries, and scikit-learn's cost seconds."""
    if format == "onnx":
        from models_hub.conversion.adopt import adopt

        return adopt
    from models_hub.conversion.convert import convert

    return convert


def _described(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in facts.items() if value != "")


def _told(converted: Converted, facts: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    expected = converted.expected
    chances = None if expected.probabilities is None else expected.probabilities.tolist()
    return {
        "facts": facts,
        "signature": converted.signature.to_json(),
        "spans": {name: list(span) for name, span in converted.spans.items()},
        "kept": np.flatnonzero(converted.mask).tolist(),
        "values": expected.values.tolist(),
        "probabilities": chances,
    }, converted.graph()
