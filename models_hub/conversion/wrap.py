"""An uploaded ONNX graph in the Bundle's shape: column inputs in front, plain outputs behind.

Taken: one input per column ([None, 1] or [None]), or one matrix [None, k]; of float, double,
int64, int32, bool or string. Out: one number a row, or a label with [None, k] probabilities,
with or without skl2onnx's ZipMap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper

from berth.signature import FieldType, Output
from models_hub.conversion import graph as surgery
from models_hub.conversion.answers import Answers
from models_hub.conversion.columns import Column
from models_hub.conversion.peek import peek
from models_hub.conversion.pen import Pen
from models_hub.formats.refusal import Refused

NUMPY: dict[int, Any] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32,
    TensorProto.BOOL: np.bool_,
    TensorProto.STRING: np.object_,
}
WHOLE = {TensorProto.INT64, TensorProto.INT32}


@dataclass(frozen=True, slots=True)
class Entry:
    """One input of the uploaded graph and the columns that feed it."""

    name: str
    kind: int
    flat: bool  # wants [n], not [n, 1]
    columns: tuple[str, ...]


def entries_of(model: ModelProto, sample_names: Sequence[str] | None) -> list[Entry]:
    """How columns feed the graph's inputs; raises `Refused` (`onnx_inputs_unsupported`)."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) == 1:
        return [_single(inputs[0], sample_names)]
    return [_column(value) for value in inputs]


def _sizes(value: Any) -> list[int | None]:
    """Each dimension's size; None where it is free. A batch of a fixed size is refused."""
    dims = value.type.tensor_type.shape.dim
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
    if sizes and sizes[0] is not None and sizes[0] > 0:
        raise _refused(f"{value.name[:60]!r} takes exactly {sizes[0]} rows; export it with a free "
                       "first dimension")  # fmt: skip
    return [size if size and size > 0 else None for size in sizes]


def _single(value: Any, sample_names: Sequence[str] | None) -> Entry:
    sizes, kind = _sizes(value), value.type.tensor_type.elem_type
    width = sizes[1] if len(sizes) == 2 else 1
    if width == 1:
        return Entry(value.name, kind, len(sizes) == 1, (value.name,))
    if width is None and sample_names is None:
        raise _refused(
            f"{value.name[:60]!r} does not say how many columns it has; upload a sample of rows"
        )
    names = list(sample_names or ())
    if width is not None and len(names) != width:
        names = [f"f{index}" for index in range(width)]
    return Entry(value.name, kind, False, tuple(names))


def _column(value: Any) -> Entry:
    sizes, kind = _sizes(value), value.type.tensor_type.elem_type
    if len(sizes) == 2 and sizes[1] not in (1, None):
        raise _refused(
            f"{value.name[:60]!r} holds {sizes[1]} columns beside other inputs; give each column "
            "an input of its own, or all of them one"
        )
    return Entry(value.name, kind, len(sizes) == 1, (value.name,))


def _refused(what: str) -> Refused:
    return Refused("onnx_inputs_unsupported", f"The model's inputs are not usable: {what}.")


def columns_of_entries(model: ModelProto, entries: Sequence[Entry]) -> tuple[Column, ...]:
    """The columns with the types that the graph's inputs have, and what its nodes show of them."""
    seen = peek(model, {entry.name: entry.columns for entry in entries})
    return tuple(
        Column(name, _field_type(entry.kind), (), seen.choices.get(name), seen.span(name))
        for entry in entries
        for name in entry.columns
    )


def _field_type(kind: int) -> FieldType:
    if kind == TensorProto.STRING:
        return "string"
    if kind == TensorProto.BOOL:
        return "boolean"
    return "integer" if kind in WHOLE else "number"


def strip_zipmap(model: ModelProto) -> None:
    """Take a final ZipMap away: its input, the probabilities, becomes the output."""
    nodes = model.graph.node
    for node in [node for node in nodes if node.op_type == "ZipMap"]:
        for output in model.graph.output:
            if output.name == node.output[0]:
                output.CopyFrom(
                    helper.make_tensor_value_info(node.input[0], TensorProto.FLOAT, [None, None])
                )
                nodes.remove(node)


def output_of_graph(
    model: ModelProto, labels: tuple[Any, ...] | None, target: str | None
) -> Output:
    """What the graph answers; `labels` as found before ZipMap went."""
    outputs = list(model.graph.output)
    kinds = [output.type.tensor_type.elem_type for output in outputs]
    floating = [kind in surgery.FLOATING for kind in kinds]
    name = target or "prediction"
    if floating == [True]:
        width = _sizes(outputs[0])[1:]
        if width not in ([], [None], [1]):
            raise _outputs(f"it answers {width[0]} numbers a row")
        return Output(name, "regression")
    if floating[:2] == [False, True] and kinds[0] in (TensorProto.STRING, *WHOLE):
        known = labels or _counted(kinds[0], outputs[1])
        return Output(name, "classification", known)
    raise _outputs(f"it has {len(outputs)} outputs of other kinds")


def _counted(kind: int, probabilities: Any) -> tuple[Any, ...]:
    sizes = _sizes(probabilities)
    width = sizes[1] if len(sizes) == 2 else None
    if kind == TensorProto.STRING or width is None or width < 2:
        raise _outputs("its class labels cannot be read from it")
    return tuple(range(width))


def _outputs(what: str) -> Refused:
    return Refused(
        "onnx_outputs_unsupported",
        f"The model's outputs are not usable: {what}. Wanted is one number a row, or a label and "
        "then the probabilities of all classes.",
    )


def labels_of_graph(model: ModelProto) -> tuple[Any, ...] | None:
    """The class labels that a ZipMap or a classifier node names; None if none does."""
    for node in reversed(model.graph.node):
        for attribute in node.attribute:
            if attribute.name in ("classlabels_strings", "cats_strings") and attribute.strings:
                if node.op_type != "OneHotEncoder":
                    return tuple(text.decode("utf-8", "replace") for text in attribute.strings)
            elif attribute.name in ("classlabels_int64s", "classlabels_ints") and attribute.ints:
                return tuple(attribute.ints)
    return None


def wrapped(model: ModelProto, entries: Sequence[Entry], output: Output) -> ModelProto:
    """The graph behind column inputs of double or string, with the Bundle's outputs."""
    result = ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    surgery.rename_values(graph, {})
    constants = {tensor.name for tensor in graph.initializer}
    old = [value.name for value in graph.input if value.name not in constants]
    pen = Pen(graph)
    for name, entry in zip(old, entries, strict=True):
        _feed(pen, name, entry)
    pen.prepend()
    columns = [(name, _wanted(entry.kind)) for entry in entries for name in entry.columns]
    surgery.set_inputs(graph, columns)
    names = ["prediction"] if output.kind == "regression" else ["label", "probabilities"]
    surgery.finish_outputs(graph, names)
    _import_standard(result)
    result.producer_name, result.producer_version, result.doc_string = "berth", "", ""
    del result.metadata_props[:]
    return result


def _wanted(kind: int) -> int:
    return int(TensorProto.STRING if kind == TensorProto.STRING else TensorProto.DOUBLE)


def _feed(pen: Pen, name: str, entry: Entry) -> None:
    value = entry.columns[0]
    if len(entry.columns) > 1:
        value = pen.node("Concat", *entry.columns, axis=1)
    if entry.flat:
        value = pen.node("Reshape", value, pen.constant(np.array([-1])))
    if entry.kind == TensorProto.STRING:
        pen.node("Identity", value, out=name)
    else:
        pen.node("Cast", value, out=name, to=entry.kind)


def _import_standard(model: ModelProto) -> None:
    """Our nodes need the standard operators, which an all-ML graph may not import."""
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", 21))


class OriginalGraph:
    """The uploaded graph as it came, behind the same columns as the wrapped one."""

    def __init__(self, onnx: bytes, entries: Sequence[Entry], output: Output) -> None:
        self._entries, self._output = entries, output
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                onnx, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise Refused(
                "onnx_cannot_run", f"onnxruntime cannot load the model ({str(error)[:200]})."
            ) from error

    def answers(self, columns: Mapping[str, Any]) -> bool:
        """Does it give a finite answer for every row? Whole numbers know no missing value."""
        whole = [entry for entry in self._entries if entry.kind in (*WHOLE, TensorProto.BOOL)]
        names = [name for entry in whole for name in entry.columns]
        if any(np.isnan(columns[name]).any() for name in names):
            return False
        try:
            return bool(self._finite(self._run(columns)).all())
        except Exception:  # noqa: BLE001 - any failure means that it takes no such value
            return False

    def predict(self, columns: Mapping[str, Any], doubts: Any = None) -> tuple[Answers, Any]:
        """Its answers, and the mask of the rows for which they are finite; it needs no `doubts`."""
        try:
            found = self._run(columns)
        except Exception as error:
            raise Refused(
                "onnx_cannot_run", f"The model fails on ordinary rows ({str(error)[:200]})."
            ) from error
        mask = self._finite(found)
        return found.take(mask), mask

    def _finite(self, found: Answers) -> Any:
        if found.probabilities is None:
            return np.isfinite(found.values)
        return np.isfinite(found.probabilities).all(axis=1)

    def _run(self, columns: Mapping[str, Any]) -> Answers:
        rows = len(next(iter(columns.values())))
        feeds = {}
        for entry in self._entries:
            matrix = np.concatenate([columns[name] for name in entry.columns], axis=1)
            matrix = matrix.astype(NUMPY[entry.kind])
            feeds[entry.name] = matrix[:, 0] if entry.flat else matrix
        outputs = self._session.run(None, feeds)
        if self._output.kind == "regression":
            return Answers(outputs[0].astype(float).reshape(rows))
        return Answers(outputs[0].reshape(rows), outputs[1].astype(float).reshape(rows, -1))
