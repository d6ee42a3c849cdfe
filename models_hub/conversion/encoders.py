"""Converters of ours for the encoders: exact in double, aware of missing values.

A missing string is "" (`berth.signature.MISSING_STRING`), a missing number is NaN. What
scikit-learn's encoder does with either, and with a category it never saw, the nodes do too.
"""

from typing import Any

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from berth.signature import MISSING_STRING
from models_hub.conversion.emitter import ML, Emitter
from models_hub.conversion.missing import is_missing


def _keys(categories: Any) -> list[str]:
    return [MISSING_STRING if is_missing(value) else str(value) for value in categories]


def _hits(emit: Emitter, column: str, categories: Any, strings: bool) -> str:
    """[n, k] double: 1 where the column holds category k, else 0 (unknown: all 0)."""
    count = len(categories)
    if strings:
        hot = emit.node("OneHotEncoder", column, domain=ML, cats_strings=_keys(categories), zeros=1)
        flat = emit.node("Reshape", hot, emit.constant(np.array([-1, count])))
        return emit.cast(flat, TensorProto.DOUBLE)
    numbers = np.array([[np.nan if is_missing(value) else float(value) for value in categories]])
    equal = emit.node("Equal", column, emit.constant(numbers))
    if np.isnan(numbers).any():  # NaN equals nothing: its column comes from IsNaN
        nan = emit.node("IsNaN", column)
        equal = emit.node("Or", equal, emit.node("And", nan, emit.constant(np.isnan(numbers))))
    return emit.cast(equal, TensorProto.DOUBLE)


def _one_hot_mapping(encoder: Any, index: int) -> np.ndarray | None:
    """[k + 1, m]: which output each category (last row: unknown) lights; None if one to one."""
    count = len(encoder.categories_[index])
    groups = encoder._default_to_infrequent_mappings[index] if encoder._infrequent_enabled else None
    place = np.arange(count) if groups is None else np.asarray(groups)
    mapping = np.vstack([np.eye(place.max() + 1)[place], np.zeros(place.max() + 1)])
    if groups is not None and encoder.handle_unknown == "infrequent_if_exist":
        mapping[-1, -1] = 1
    drop = None if encoder.drop_idx_ is None else encoder.drop_idx_[index]
    if drop is not None:
        # scikit-learn stores the index among the raw categories, also where it groups some
        mapping = np.delete(mapping, place[drop], axis=1)
    plain = mapping.shape == (count + 1, count) and not mapping[-1].any()
    return None if plain and (mapping[:-1] == np.eye(count)).all() else mapping


def _mapped(emit: Emitter, hits: str, mapping: np.ndarray) -> str:
    known = emit.node("ReduceSum", hits, emit.constant(np.array([1])), keepdims=1)
    unknown = emit.node("Sub", emit.constant(np.array([[1.0]])), known)
    return emit.node("MatMul", emit.joined([hits, unknown]), emit.constant(mapping))


def _is_text(operator: Any) -> bool:
    return isinstance(operator.inputs[0].type, StringTensorType)


def _convert_one_hot(scope: Any, operator: Any, container: Any) -> None:
    emit, encoder = Emitter(scope, operator, container), operator.raw_operator
    blocks = []
    for index, column in enumerate(emit.columns()):
        mapping = _one_hot_mapping(encoder, index)
        block = _hits(emit, column, encoder.categories_[index], _is_text(operator))
        blocks.append(block if mapping is None else _mapped(emit, block, mapping))
    emit.joined(blocks, out=emit.output)


def _one_hot_shape(operator: Any) -> None:
    encoder = operator.raw_operator
    width = int(sum(encoder._n_features_outs))
    operator.outputs[0].type = DoubleTensorType([None, width])


def _codes(encoder: Any, index: int) -> list[float]:
    """The number for each category, in order; the last is the one for unknown values."""
    categories = encoder.categories_[index]
    groups = encoder._default_to_infrequent_mappings[index] if encoder._infrequent_enabled else None
    codes = [float(code) for code in (range(len(categories)) if groups is None else groups)]
    for place, value in enumerate(categories):
        if is_missing(value):
            codes[place] = float(encoder.encoded_missing_value)
    unknown = encoder.unknown_value
    return [*codes, np.nan if unknown is None else float(unknown)]


def _ordinal_column(emit: Emitter, column: str, encoder: Any, index: int, strings: bool) -> str:
    categories, codes = encoder.categories_[index], _codes(encoder, index)
    if strings:
        code = emit.node(
            "LabelEncoder", column, domain=ML, op_version=2, keys_strings=_keys(categories),
            values_floats=codes[:-1], default_float=codes[-1],
        )  # fmt: skip
        return emit.cast(code, TensorProto.DOUBLE)
    hits = _hits(emit, column, categories, strings=False)
    place = emit.node("ArgMax", hits, axis=1, keepdims=1)
    found = emit.node("Gather", emit.constant(np.array(codes[:-1])), place, axis=0)
    known = emit.node("ReduceMax", hits, emit.constant(np.array([1])), keepdims=1)
    seen = emit.cast(known, TensorProto.BOOL)
    return emit.node("Where", seen, found, emit.constant(np.array([[codes[-1]]])))


def _convert_ordinal(scope: Any, operator: Any, container: Any) -> None:
    emit, encoder = Emitter(scope, operator, container), operator.raw_operator
    strings = _is_text(operator)
    columns = [
        _ordinal_column(emit, column, encoder, index, strings)
        for index, column in enumerate(emit.columns())
    ]
    emit.joined(columns, out=emit.output)


def _ordinal_shape(operator: Any) -> None:
    operator.outputs[0].type = DoubleTensorType([None, len(operator.raw_operator.categories_)])


def register() -> None:
    """Tell skl2onnx to use these converters."""
    update_registered_converter(
        OneHotEncoder, "BerthOneHotEncoder", _one_hot_shape, _convert_one_hot, parser=_parse("hot")
    )
    update_registered_converter(
        OrdinalEncoder, "BerthOrdinalEncoder", _ordinal_shape, _convert_ordinal,
        parser=_parse("ordinal"),
    )  # fmt: skip


def _parse(output: str) -> Any:
    """A parser that declares one double output, whatever comes in (strings come in)."""

    def parser(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
        alias = f"Berth{type(model).__name__}"
        operator = scope.declare_local_operator(alias, model)
        operator.inputs = list(inputs)
        variable = scope.declare_local_variable(output, DoubleTensorType())
        operator.outputs.append(variable)
        return operator.outputs

    return parser
