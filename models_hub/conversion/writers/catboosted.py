"""CatBoost's models of numbers, from the blob that the library writes of them.

CatBoost compares float32 features with float32 borders: a tree's leaf is the number whose bit i
says whether split i holds. The blob is "CBM1", its length and a FlatBuffers table:
https://github.com/catboost/catboost/tree/master/catboost/libs/model/flatbuffers
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flatbuffers import encode, number_types
from flatbuffers.table import Table as Buffer

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.forests import both
from models_hub.conversion.writers.registry import Scores, classifier, regressor
from models_hub.conversion.writers.table import Table
from models_hub.conversion.writers.trees import TreeArrays, summed

HEAD = 8
#: Places in the tables of model.fbs and features.fbs.
TREES = 1
SPLITS, SIZES, FLOATS, LEAVES, STEPS = 1, 2, 5, 8, 10
FLAT_INDEX, BORDERS, TREATMENT = 2, 3, 5
AS_TRUE = 2  # how a missing value is compared; else as what lies below every border
LINKS = {
    "Logloss": "Sigmoid", "CrossEntropy": "Sigmoid", "MultiClassOneVsAll": "Sigmoid",
    "MultiClass": "Softmax", "Poisson": "Exp", "Tweedie": "Exp",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Splits:
    """What each number among a tree's splits stands for: a column, its border, and whether a
    missing value counts as above it."""

    column: Any
    border: Any
    above: Any


def _offset(buffer: Any, place: int) -> int:
    return int(buffer.Offset(4 + 2 * place))


def _vector(buffer: Any, place: int, kind: Any) -> Any:
    offset = _offset(buffer, place)
    return buffer.GetVectorAsNumpy(kind, offset) if offset else np.array([])


def _number(buffer: Any, place: int, kind: Any, default: int) -> int:
    offset = _offset(buffer, place)
    return int(buffer.Get(kind, offset + buffer.Pos)) if offset else default


def _trees(model: Any) -> Any:
    data = bytearray(model._serialize_model())[HEAD:]
    root = Buffer(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))
    return Buffer(data, root.Indirect(_offset(root, TREES) + root.Pos))


def _splits(trees: Any) -> _Splits:
    offset = _offset(trees, FLOATS)
    columns, borders, above = [np.array([], dtype=int)], [np.array([])], [np.array([], dtype=bool)]
    for place in range(trees.VectorLen(offset) if offset else 0):
        feature = Buffer(trees.Bytes, trees.Indirect(trees.Vector(offset) + 4 * place))
        cuts = _vector(feature, BORDERS, number_types.Float32Flags)
        column = _number(feature, FLAT_INDEX, number_types.Int32Flags, -1)
        missing = _number(feature, TREATMENT, number_types.Uint8Flags, 0) == AS_TRUE
        columns.append(np.full(len(cuts), column))
        borders.append(cuts.astype(float))
        above.append(np.full(len(cuts), missing))
    return _Splits(np.concatenate(columns), np.concatenate(borders), np.concatenate(above))


def _tree(splits: _Splits, chosen: Any, leaves: Any) -> TreeArrays:
    """A tree whose every level asks one question, as one of nodes: those of a level behind those
    of the level above, in the order of the answers so far."""
    depth = len(chosen)
    count = 2**depth - 1
    level = np.repeat(np.arange(depth), 2 ** np.arange(depth))
    path = np.arange(count) - (2**level - 1)
    left = 2 ** (level + 1) - 1 + path
    asked, rest = chosen[level], np.zeros(2**depth, dtype=int)
    return TreeArrays.of(
        np.arange(count + 2**depth) >= count,
        np.append(splits.column[asked], rest), np.append(splits.border[asked], rest),
        np.append(left, rest), np.append(left + 2**level, rest),
        np.append(~splits.above[asked], rest),
        np.vstack([np.zeros((count, leaves.shape[1])), leaves]), range(leaves.shape[1]),
    )  # fmt: skip


def _raw(pen: Pen, model: Any, table: Table) -> str:
    """[n, k] double: the scores before the link."""
    trees = _trees(model)
    splits, numbers = _splits(trees), _vector(trees, SPLITS, number_types.Int32Flags)
    if _offset(trees, STEPS) and len(_vector(trees, STEPS, number_types.Uint8Flags)):
        raise NotImplementedError("CatBoost with trees that are not symmetric")
    if model._get_cat_feature_indices() or (len(numbers) and numbers.max() >= len(splits.border)):
        raise NotImplementedError("CatBoost with categories, texts or embeddings of its own")
    scale, bias = model.get_scale_and_bias()
    start = np.atleast_1d(np.asarray(bias, dtype=float))
    values = _vector(trees, LEAVES, number_types.Float64Flags).reshape(-1, len(start))
    arrays, split, leaf = [], 0, 0
    for size in _vector(trees, SIZES, number_types.Int32Flags).tolist():
        leaves = scale * values[leaf : leaf + 2**size]
        arrays.append(_tree(splits, numbers[split : split + size], leaves))
        split, leaf = split + size, leaf + 2**size
    return summed(pen, pen.single(table.matrix(pen)), arrays, start)


def _link(model: Any) -> str:
    loss = str(model._object._get_loss_function_name()).partition(":")[0]
    return LINKS.get(loss, "")


@regressor("catboost.CatBoostRegressor")
def _regressor(pen: Pen, model: Any, table: Table) -> str:
    raw, link = _raw(pen, model, table), _link(model)
    return pen.node(link, raw) if link else raw


@classifier("catboost.CatBoostClassifier")
def _classifier(pen: Pen, model: Any, table: Table) -> Scores:
    raw, link = _raw(pen, model, table), _link(model)
    if link == "Softmax":
        return Scores(pen.node("Softmax", raw, axis=1))
    if link != "Sigmoid":
        raise NotImplementedError("a CatBoost classifier of an unusual loss")
    likely = pen.node("Sigmoid", raw)
    return Scores(both(pen, likely) if len(model.classes_) == 2 else likely)
