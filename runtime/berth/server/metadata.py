"""What the server and its models say about themselves."""

from collections.abc import Sequence
from typing import Any

import orjson

from berth import __version__
from berth.server import datatypes, outputs
from berth.signature import Signature

EXTENSIONS = ("binary_tensor_data",)
PLATFORM = "onnx_onnxv1"  # the protocol's name for a model that ONNX Runtime runs


def server() -> dict[str, Any]:
    """`GET /v2`"""
    return {"name": "berth", "version": __version__, "extensions": list(EXTENSIONS)}


def model(name: str, versions: Sequence[int], version: int, signature: Signature) -> dict[str, Any]:
    """`GET /v2/models/{m}[/versions/{v}]`: tensors of `version`, one input for each column.

    `properties` are texts, as the protocol has them: the labels, in the order of the
    probabilities, and the whole signature, as JSON.
    """
    output = signature.output
    labels = output.labels
    properties = {"version": str(version), "signature": _json(signature.to_json())}
    if labels is not None:
        properties["labels"] = _json(list(labels))
    answered = "FP64" if labels is None else datatypes.of_labels(labels)
    tensors = [_tensor(output.name, answered, [-1])]
    if labels is not None and len(outputs.names(output)) > 1:
        tensors.append(_tensor(outputs.PROBABILITIES, "FP64", [-1, len(labels)]))
    return {
        "name": name,
        "versions": [str(number) for number in versions],
        "platform": PLATFORM,
        "inputs": [
            _tensor(field.name, datatypes.of_field(field), [-1]) for field in signature.inputs
        ],
        "outputs": tensors,
        "properties": properties,
    }


def _tensor(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
