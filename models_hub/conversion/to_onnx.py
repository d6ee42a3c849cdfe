"""A fitted estimator as an ONNX graph in the Bundle's shape, with every number in double."""

from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, helper
from sklearn.base import is_classifier

from models_hub.conversion.columns import Columns
from models_hub.conversion.graph import SHAPES, drop_unused_inputs, set_inputs
from models_hub.conversion.pen import Pen
from models_hub.conversion.writers import everything
from models_hub.conversion.writers.registry import (
    classify,
    labels_of,
    place_of,
    regress,
)
from models_hub.conversion.writers.stock import OPSET
from models_hub.conversion.writers.table import Part, Table
from models_hub.formats.refusal import Refused

IR_VERSION = 10  # of opset 21, which browsers' runtimes load too

everything.register()


def to_onnx(estimator: Any, columns: Columns, *, refusing: bool = False) -> ModelProto:
    """The graph that predicts what the estimator predicts; whether it does is parity's to say.

    `refusing`: a row for which a step would raise, since a value has become no finite number on
    the way, is answered by NaN. It costs some nodes more. Raises `Refused` with `not_convertible`,
    naming the step.
    """
    graph = GraphProto(name="berth")
    kinds = [(c.name, _kind(c.type)) for c in columns.all]
    set_inputs(graph, kinds)
    pen = Pen(graph)
    pen.refusals = [] if refusing else None
    given = Table(tuple(Part(name, 1, kind == TensorProto.STRING) for name, kind in kinds))
    try:
        outputs = _answered(pen, estimator, given)
    except Exception as error:  # skl2onnx raises anything, and estimators of strangers too
        raise Refused(
            "not_convertible",
            f"The pipeline has no counterpart in ONNX that we know: {_first_line(error)}.",
        ) from error
    fields = {column.name for column in columns.all}
    for name, value, kind in outputs:
        final = f"{name}_output" if name in fields else name
        pen.node("Identity", value, out=final)
        graph.output.append(helper.make_tensor_value_info(final, kind, SHAPES[name]))
    pen.append()
    drop_unused_inputs(graph)
    imports = [helper.make_opsetid(domain, version) for domain, version in OPSET.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)


def _kind(column_type: str) -> int:
    return int(TensorProto.STRING if column_type == "string" else TensorProto.DOUBLE)


def _answered(pen: Pen, estimator: Any, given: Table) -> list[tuple[str, str, int]]:
    """The outputs: name, value and element type of each."""
    flat = pen.constant(np.array([-1, 1]))
    if not is_classifier(estimator):
        value = pen.node("Reshape", regress(pen, estimator, given), flat)
        return [("prediction", _unless_refused(pen, value), TensorProto.DOUBLE)]
    scores = classify(pen, estimator, given)
    labels = labels_of(estimator.classes_)
    chosen = pen.node("Gather", pen.constant(labels), place_of(pen, scores), axis=0)
    kind = TensorProto.STRING if labels.dtype == object else TensorProto.INT64
    outputs = [("label", chosen, int(kind))]
    if scores.chances is not None:
        chances = _unless_refused(pen, scores.chances)
        outputs.append(("probabilities", chances, int(TensorProto.DOUBLE)))
    return outputs


def _unless_refused(pen: Pen, value: str) -> str:
    for refusal in pen.refusals or ():
        value = pen.node("Add", value, refusal)
    return value


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split("\n\n")[0].split())[:200].rstrip(".")
    return text if isinstance(error, NotImplementedError) else f"{type(error).__name__}: {text}"
