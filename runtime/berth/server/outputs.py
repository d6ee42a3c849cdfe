"""Predictions as the tensors of an answer, in JSON or as binary data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from berth.predictions import Predictions
from berth.server import binary, datatypes
from berth.server.errors import bad
from berth.server.tensors import Asked
from berth.signature import Output

_FEW = 32  # numbers up to which Python's list is quicker made than numpy's way found
PROBABILITIES = "probabilities"
_JSON = ("content-type", "application/json")
_BYTES = ("content-type", "application/octet-stream")


@dataclass(slots=True)
class Tensor:
    """One output: float64, int64 or object, [n] or, for probabilities, [n, k]."""

    datatype: str
    values: NDArray[Any]

    plain: bool = True  # whether its JSON is that of the predictions themselves

    @property
    def shape(self) -> list[int]:
        return list(self.values.shape)


@dataclass(slots=True)
class Written:
    """An answer's body and the headers that say what it is."""

    body: bytes
    headers: list[tuple[str, str]]


def names(output: Output) -> tuple[str, ...]:
    """The outputs of a model: the prediction and, of a classification, the probabilities.

    A model whose prediction has the second's name has no second one.
    """
    if output.labels is None or output.name == PROBABILITIES:
        return (output.name,)
    return (output.name, PROBABILITIES)


def check(asked: Asked, output: Output) -> None:
    """Raises ProtocolError 400 when the request wants outputs that the model does not have."""
    known = names(output)
    if unknown := [name for name in asked.outputs or () if name not in known]:
        raise bad(f'The model has no output "{unknown[0]}". It has {", ".join(known)}.')


def json_of(values: NDArray[Any]) -> orjson.Fragment:
    """An array as JSON, made once for the answer and for its record."""
    if values.size <= _FEW or values.dtype == object:
        return orjson.Fragment(orjson.dumps(values.tolist()))
    plain = np.ascontiguousarray(values)
    return orjson.Fragment(orjson.dumps(plain, option=orjson.OPT_SERIALIZE_NUMPY))


def tensors(output: Output, predictions: Predictions) -> dict[str, Tensor]:
    """All outputs, by name."""
    if output.labels is None:
        return {output.name: Tensor("FP64", predictions.values)}
    datatype = datatypes.of_labels(output.labels)
    plain = datatype != datatypes.TEXT or set(map(type, output.labels)) == {str}
    values = predictions.values if plain else _texts(predictions.values)
    found = {output.name: Tensor(datatype, values, plain)}
    if predictions.probabilities is not None:
        found.setdefault(PROBABILITIES, Tensor("FP64", predictions.probabilities))
    return found


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    """Labels of several kinds travel as texts: a text as it is, any other as its JSON."""
    texts = np.empty(len(values), dtype=object)
    texts[:] = [v if isinstance(v, str) else orjson.dumps(v).decode() for v in values.tolist()]
    return texts


def write(
    head: dict[str, Any],
    found: Mapping[str, Tensor],
    fragments: Mapping[str, orjson.Fragment],
    asked: Asked,
) -> Written:
    """The answer: `head` (model_name, …) and the outputs asked for, in the order asked.

    `fragments` holds the JSON of outputs that were written already.
    """
    wanted = asked.outputs or dict.fromkeys(found, asked.binary)
    blobs: list[bytes] = []
    written = []
    for name, as_binary in wanted.items():
        if name not in found:
            raise bad(f'This model answers no "{name}".')
        tensor = found[name]
        item: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": tensor.shape}
        if as_binary:
            blob = binary.packed(tensor.datatype, tensor.values.ravel())
            item["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
        else:
            item["data"] = fragments.get(name) or json_of(tensor.values.ravel())
        written.append(item)
    head["outputs"] = written
    text = orjson.dumps(head)
    if not blobs:
        return Written(text, [_JSON])
    return Written(b"".join((text, *blobs)), [_BYTES, (binary.HEADER, str(len(text)))])
