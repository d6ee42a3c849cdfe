"""The operators of ai.onnx.ml for the light lane, mostly as several plain ones.

https://onnx.ai/onnx/operators/index.html#ai-onnx-ml; where the text leaves a choice, as
onnxruntime's kernels do it.
"""

from typing import Any

import numpy as np

from models_hub.browser.drafting import NotInLane
from models_hub.browser.forest import Forest
from models_hub.browser.reading import Node, Reader

_AFTER = {"LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
_ENCODED = ("strings", "int64s", "floats")
_UNKNOWN = {"strings": "_Unused", "int64s": -1, "floats": 0.0}
_DTYPES: dict[str, Any] = {"strings": object, "int64s": np.int64, "floats": np.float32}


def _single(reader: Reader, value: int) -> int:
    return reader.draft.node("Cast", value, to="f")


def _texts(items: Any) -> list[Any]:
    return [item.decode() if isinstance(item, bytes) else item for item in items]


def _transformed(reader: Reader, node: Node, value: int) -> int:
    """What a model's `post_transform` makes of its scores."""
    said = node.get("post_transform", b"NONE").decode()
    if said == "NONE":
        return value
    if said not in _AFTER:
        raise NotInLane(f"{node.kind} with {said}")
    axis = {"axis": 1} if said == "SOFTMAX" else {}
    return reader.draft.node(_AFTER[said], value, **axis)


def _forest(node: Node, kind: str) -> Forest:
    node.ignore(*node.attributes)
    double = any(name.endswith("_as_tensor") for name in node.attributes)
    return Forest(node.attributes, kind, np.float64 if double else np.float32)


def _summed(reader: Reader, node: Node, forest: Forest, targets: int) -> int:
    said = node.get("aggregate_function", b"SUM").decode()
    if said not in ("SUM", "AVERAGE"):
        raise NotInLane(f"{node.kind} with {said}")
    value = reader.value(node.inputs[0])
    return forest.write(reader.draft, value, targets, mean=said == "AVERAGE")


def _tree_regressor(reader: Reader, node: Node) -> int:
    forest = _forest(node, "target")
    return _transformed(reader, node, _summed(reader, node, forest, node.get("n_targets", 1)))


def _labels(reader: Reader, node: Node) -> tuple[int, int]:
    """A classifier's labels as a constant, and how many there are."""
    texts, numbers = node.get("classlabels_strings", ()), node.get("classlabels_int64s", ())
    numbers = numbers or node.get("classlabels_ints", ())
    array = np.array(_texts(texts), object) if texts else np.array(numbers, np.int64)
    return reader.draft.constant(array), len(array)


def _chosen(reader: Reader, node: Node, scores: int, labels: int) -> int:
    """Label and probabilities, from the scores of all classes."""
    draft = reader.draft
    chances = _transformed(reader, node, scores)
    best = draft.node("ArgMax", scores, axis=1, keepdims=False)
    label = draft.node("Gather", labels, best, axis=0)
    same = draft.node("Reshape", chances, shape=[0, -1])  # to stand behind the label
    assert same == label + 1
    return label


def _tree_classifier(reader: Reader, node: Node) -> int:
    labels, count = _labels(reader, node)
    if len(set(node.attributes["class_ids"])) < 2:
        raise NotInLane("TreeEnsembleClassifier of one score")
    scores = _summed(reader, node, _forest(node, "class"), count)
    return _chosen(reader, node, scores, labels)


def _linear(reader: Reader, node: Node, rows: int) -> int:
    """[n, rows] float: value @ coefficients.T + intercepts, in float."""
    weights = np.array(node.get("coefficients"), np.float32).reshape(rows, -1)
    value = _single(reader, reader.value(node.inputs[0]))
    found = reader.draft.node("MatMul", value, reader.draft.constant(weights.T))
    starts = node.get("intercepts", ())
    if len(starts):
        found = reader.draft.node(
            "Add", found, reader.draft.constant(np.array([starts], np.float32))
        )
    return found


def _linear_regressor(reader: Reader, node: Node) -> int:
    found = _linear(reader, node, node.get("targets", 1))
    return _transformed(reader, node, found)


def _linear_classifier(reader: Reader, node: Node) -> int:
    labels, count = _labels(reader, node)
    node.ignore("multi_class")
    if len(node.get("intercepts", ())) not in (0, count):
        raise NotInLane("LinearClassifier of one score")
    return _chosen(reader, node, _linear(reader, node, count), labels)


def _encoder(reader: Reader, node: Node) -> int:
    """LabelEncoder: each key's value; for any other key the default."""
    draft = reader.draft
    keys = next((kind for kind in _ENCODED if node.get(f"keys_{kind}")), "")
    values = next((kind for kind in _ENCODED if node.get(f"values_{kind}")), "")
    if not keys or not values:
        raise NotInLane("LabelEncoder of tensors")
    other = node.get(f"default_{values.removesuffix('s')}", _UNKNOWN[values])
    other = other.decode() if isinstance(other, bytes) else other
    node.ignore(*(f"default_{kind.removesuffix('s')}" for kind in _ENCODED))
    node.check()
    arrays = [
        np.array(_texts(node.get(f"keys_{keys}")), _DTYPES[keys]),
        np.array(_texts(node.get(f"values_{values}")), _DTYPES[values]),
        np.array([other], _DTYPES[values]),
    ]
    inputs = [draft.constant(array) for array in arrays]
    return draft.node("Label", reader.value(node.inputs[0]), *inputs)


def _scaler(reader: Reader, node: Node) -> int:
    draft, value = reader.draft, _single(reader, reader.value(node.inputs[0]))
    offset, scale = (
        draft.constant(np.array([node.get(name)], np.float32)) for name in ("offset", "scale")
    )
    return draft.node("Mul", draft.node("Sub", value, offset), scale)


def _imputer(reader: Reader, node: Node) -> int:
    draft, value = reader.draft, reader.value(node.inputs[0])
    whole = node.get("imputed_value_int64s", ())
    if len(whole):
        filling, old = np.array([whole], np.int64), node.get("replaced_value_int64", 0)
    else:
        filling = np.array([node.get("imputed_value_floats")], np.float32)
        old = node.get("replaced_value_float", 0.0)
    gap = draft.node("IsNaN", value) if old != old else draft.node(
        "Equal", value, reader.scalar(old, "d")
    )  # fmt: skip
    return draft.node("Where", gap, draft.constant(filling), value)


def _normalizer(reader: Reader, node: Node) -> int:
    draft, value = reader.draft, _single(reader, reader.value(node.inputs[0]))
    kind = {"MAX": "Max", "L1": "L1", "L2": "L2"}[node.get("norm", b"MAX").decode()]
    size = draft.node("Reduce", value, kind=kind, axes=[1], keepdims=True)
    one, zero = reader.scalar(1.0, "f"), reader.scalar(0.0, "f")
    size = draft.node("Where", draft.node("Equal", size, zero), one, size)
    return draft.node("Div", value, size)


def _binarizer(reader: Reader, node: Node) -> int:
    bound = reader.scalar(node.get("threshold", 0.0), "f")
    above = reader.draft.node("Greater", reader.value(node.inputs[0]), bound)
    return reader.draft.node("Cast", above, to="f")


def _one_hot(reader: Reader, node: Node) -> int:
    draft, value = reader.draft, reader.value(node.inputs[0])
    if not node.get("zeros", 1):
        raise NotInLane("OneHotEncoder without zeros")
    texts, numbers = node.get("cats_strings", ()), node.get("cats_int64s", ())
    known = np.array(_texts(texts), object) if texts else np.array(numbers, np.int64)
    value = value if texts else draft.node("Cast", value, to="i")
    apart = draft.node("Reshape", value, shape=[0, -1, 1])
    equal = draft.node("Equal", apart, draft.constant(known.reshape(1, 1, -1)))
    return draft.node("Cast", equal, to="f")


def _extractor(reader: Reader, node: Node) -> int:
    value, at = (reader.value(name) for name in node.inputs)
    return reader.draft.node("Gather", value, reader.draft.node("Reshape", at, shape=[-1]), axis=-1)


def _vectorizer(reader: Reader, node: Node) -> int:
    parts = [_single(reader, reader.value(name)) for name in node.inputs]
    return reader.draft.node("Concat", *parts, axis=1)


LEARNED = {
    "ArrayFeatureExtractor": _extractor,
    "Binarizer": _binarizer,
    "FeatureVectorizer": _vectorizer,
    "Imputer": _imputer,
    "LabelEncoder": _encoder,
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "Normalizer": _normalizer,
    "OneHotEncoder": _one_hot,
    "Scaler": _scaler,
    "TreeEnsembleClassifier": _tree_classifier,
    "TreeEnsembleRegressor": _tree_regressor,
}
