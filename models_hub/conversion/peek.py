"""What an uploaded ONNX graph shows of its columns: their choices, and where values matter.

Followed are columns that stay recognisable: cast, put side by side, scaled. Scalers show mean and
spread, trees their thresholds, encoders the texts that they know. Nothing of it is a claim: it
decides which rows the parity check draws.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, numpy_helper

from models_hub.conversion.spans import Span, around
from models_hub.conversion.trace import Lane, Lanes

SAME = {"Cast", "Identity", "Imputer", "Reshape", "Flatten"}
WIDTH = 3.0  # standard deviations


@dataclass(slots=True)
class Seen:
    """Per column: the values that steps spoke of, and the texts that an encoder knows."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def span(self, name: str) -> Span | None:
        """The range to draw a column's values from, if anything is known."""
        known = [value for value in self.values[name] if np.isfinite(value)]
        return around(known) if known else None


def peek(model: ModelProto, inputs: Mapping[str, tuple[str, ...]]) -> Seen:
    """What the graph shows. `inputs`: the columns behind each input's name, in order."""
    seen = Seen()
    lanes: dict[str, Lanes] = {
        name: [Lane(column) for column in columns] for name, columns in inputs.items()
    }
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        given = [lanes.get(name) for name in node.input]
        if node.op_type == "Concat" and all(part is not None for part in given):
            lanes[node.output[0]] = [lane for part in given for lane in part or ()]
        elif given and given[0] is not None:
            attributes = {item.name: item for item in node.attribute}
            out = _through(node, given[0], attributes, constants, seen)
            if out is not None:
                lanes[node.output[0]] = out
    return seen


def _through(
    node: Any, lanes: Lanes, attributes: dict[str, Any], constants: dict[str, Any], seen: Seen
) -> Lanes | None:
    """What comes out of a node, if it is still the same columns; notes what the node shows."""
    if node.op_type in SAME:
        return lanes
    if node.op_type == "Scaler" and {"offset", "scale"} <= attributes.keys():
        offset, scale = (_wide(attributes[name].floats, lanes) for name in ("offset", "scale"))
        return _scaled(lanes, scale, -scale * offset, seen)
    if node.op_type in ("Gather", "ArrayFeatureExtractor") and node.input[1] in constants:
        places = numpy_helper.to_array(constants[node.input[1]]).ravel().tolist()
        return [lanes[place] if 0 <= place < len(lanes) else None for place in places]
    if node.op_type in ("Sub", "Div", "Add", "Mul") and node.input[1] in constants:
        constant = _wide(numpy_helper.to_array(constants[node.input[1]]).ravel(), lanes)
        return _arithmetic(node.op_type, lanes, constant, seen)
    if node.op_type in ("TreeEnsembleRegressor", "TreeEnsembleClassifier"):
        for index, cut in _cuts(attributes):
            lane = lanes[index] if index < len(lanes) else None
            if lane is not None:
                seen.values[lane.name].append(lane.back(cut))
        return None
    texts = attributes.get("cats_strings") or attributes.get("keys_strings")
    if texts is not None and len(lanes) == 1 and lanes[0] is not None:
        known = [text.decode("utf-8", "replace") for text in texts.strings]
        seen.choices.setdefault(lanes[0].name, tuple(known))
        return [None] * len(known) if node.op_type == "OneHotEncoder" else None
    return None


def _arithmetic(kind: str, lanes: Lanes, constant: Any, seen: Seen) -> Lanes:
    ones, zeros = np.ones(len(lanes)), np.zeros(len(lanes))
    if kind in ("Sub", "Add"):
        return _moved(lanes, ones, -constant if kind == "Sub" else constant)
    scale = 1 / constant if kind == "Div" else constant
    return _scaled(lanes, scale, zeros, seen)


def _wide(values: Any, lanes: Lanes) -> Any:
    """One value for each lane; ones where their number does not fit."""
    array = np.asarray(values, dtype=float)
    return np.resize(array, len(lanes)) if array.size in (1, len(lanes)) else np.ones(len(lanes))


def _moved(lanes: Lanes, scale: Any, offset: Any) -> Lanes:
    return [
        lane.scaled(float(a), float(b)) if lane else None
        for lane, a, b in zip(lanes, scale, offset, strict=True)
    ]


def _scaled(lanes: Lanes, scale: Any, offset: Any, seen: Seen) -> Lanes:
    """After a division by a spread, most values lie within a few of zero."""
    out = _moved(lanes, scale, offset)
    for lane in out:
        if lane is not None and lane.offset:
            seen.values[lane.name] += [lane.back(-WIDTH), lane.back(WIDTH)]
    return out


def _cuts(attributes: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """The lowest and highest threshold of each feature of an ensemble."""
    features = np.array(attributes["nodes_featureids"].ints)
    if "nodes_values" in attributes:
        values = np.array(attributes["nodes_values"].floats, dtype=float)
    else:
        values = numpy_helper.to_array(attributes["nodes_values_as_tensor"].t)
    inner = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"].strings])
    for feature in np.unique(features[inner]):
        mine = values[inner & (features == feature)]
        yield int(feature), float(mine.min())
        yield int(feature), float(mine.max())
