"""skl2onnx for a single step that we do not write ourselves, with every number in double."""

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from models_hub.conversion.pen import Pen
from models_hub.conversion.writers.table import Table
from models_hub.formats.onnx_operators import ALLOWED

OPSET = {"": 21, "ai.onnx.ml": 3}
IN_FLOAT = {"SVMRegressor", "SVMClassifier", "TreeEnsembleClassifier", "TreeEnsembleRegressor"}


def transform(pen: Pen, step: Any, table: Table) -> Table:
    """A transformer's output, doubles."""
    outputs, model = _written(pen, step, table, {})
    width = _width(step, model)
    return Table.of(pen.double(outputs[0]), width, sparse=table.sparse)


def regress(pen: Pen, model: Any, table: Table) -> str:
    """A regressor's prediction [n, 1]."""
    outputs, _ = _written(pen, model, table, {})
    flat = pen.constant(np.array([-1, 1]))
    return pen.node("Reshape", pen.double(outputs[0]), flat)


def chances(pen: Pen, model: Any, table: Table) -> str:
    """A classifier's probabilities [n, k]."""
    outputs, _ = _written(pen, model, table, {id(model): {"zipmap": False}})
    return pen.double(outputs[1])


def _width(step: Any, model: ModelProto) -> int:
    names = getattr(step, "get_feature_names_out", None)
    try:
        return len(names()) if names is not None else _declared(model)
    except (ValueError, AttributeError):  # some cannot name what they give
        return _declared(model)


def _declared(model: ModelProto) -> int:
    dims = model.graph.output[0].type.tensor_type.shape.dim
    width = dims[1].dim_value if len(dims) == 2 else 0
    if not width:
        raise NotImplementedError("a step of unknown width")
    return int(width)


def _written(
    pen: Pen, step: Any, table: Table, options: dict[int, Any]
) -> tuple[list[str], ModelProto]:
    """Convert the step alone and put its nodes into the pen's graph: the outputs' names."""
    # skl2onnx takes a second to import, and most pipelines need nothing of it
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    kind = StringTensorType if table.text else DoubleTensorType
    value = table.matrix(pen)
    try:
        model: ModelProto = convert_sklearn(
            step,
            initial_types=[("X", kind([None, table.width]))],
            target_opset=OPSET,
            options=options or None,
        )
    except (MissingConverter, MissingShapeCalculator) as error:
        raise NotImplementedError(f"the step {type(step).__name__}") from error
    names = {"": "", model.graph.input[0].name: value}

    def renamed(name: str) -> str:
        if name not in names:
            names[name] = pen.name("stock")
        return names[name]

    for tensor in model.graph.initializer:
        tensor.name = renamed(tensor.name)
        pen.graph.initializer.append(tensor)
    for node in model.graph.node:
        if (node.domain, node.op_type) not in ALLOWED:
            raise NotImplementedError(f"{type(step).__name__}: {node.domain}.{node.op_type}")
        node.name = ""
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        pen.nodes += _around(pen, node)
    return [renamed(output.name) for output in model.graph.output], model


def _around(pen: Pen, node: Any) -> list[Any]:
    """Casts to float before an operator that onnxruntime has in float alone, and back behind."""
    if node.op_type not in IN_FLOAT:
        return [node]
    single, raw = pen.name("single"), pen.name("raw")
    score = len(node.output) - 1  # a classifier writes its labels first
    cast = helper.make_node("Cast", [node.input[0]], [single], to=TensorProto.FLOAT)
    back = helper.make_node("Cast", [raw], [node.output[score]], to=TensorProto.DOUBLE)
    node.input[0], node.output[score] = single, raw
    return [cast, node, back]
