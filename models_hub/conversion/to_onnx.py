"""A fitted scikit-learn estimator as an ONNX graph in the Bundle's shape.

skl2onnx converts, with every number in double; ours are the converters that it lacks or gets
wrong (`encoders`, `imputer`, `functions`), the casts around trees and the targets.
"""

from typing import Any

from onnx import ModelProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.base import is_classifier

from models_hub.conversion import encoders, ensembles, functions, graph, imputer, polynomials
from models_hub.conversion.columns import Columns
from models_hub.conversion.unwrap import unwrap
from models_hub.formats.refusal import Refused

OPSET = {"": 21, "ai.onnx.ml": 3}

for converters in (encoders, ensembles, functions, imputer, polynomials):
    converters.register()


def to_onnx(estimator: Any, columns: Columns) -> ModelProto:
    """The graph that predicts what the estimator predicts; whether it does is parity's to say.

    Raises `Refused` with `not_convertible`, naming the step.
    """
    core = unwrap(estimator)
    together = _takes_one_matrix(core.estimator, columns)
    names = [column.name for column in columns.all]
    model = _convert(core.estimator, _initial_types(columns, together))
    inputs = [value.name for value in model.graph.input]  # skl2onnx changes some names
    graph.rename_values(model.graph, {} if together else dict(zip(inputs, names, strict=True)))
    if together:
        graph.join_columns(model.graph, names)
    graph.drop_unused_inputs(model.graph)
    graph.cast_around_trees(model.graph)
    graph.finish_outputs(model.graph, _output_names(core.estimator), core.after)
    return model


def _convert(estimator: Any, initial_types: list[tuple[str, Any]]) -> ModelProto:
    options = {id(estimator): {"zipmap": False}} if is_classifier(estimator) else None
    try:
        model: ModelProto = convert_sklearn(
            estimator, initial_types=initial_types, target_opset=OPSET, options=options
        )
    except Exception as error:
        raise Refused(
            "not_convertible",
            "The pipeline has no counterpart in ONNX that we know: "
            f"{_first_line(error)}. Replace that step, or convert the model yourself and upload "
            "the ONNX file.",
        ) from error
    return model


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split("\n\n")[0].split())
    return f"{type(error).__name__}: {text}"[:240].rstrip(".")


def _takes_one_matrix(estimator: Any, columns: Columns) -> bool:
    """A ColumnTransformer picks single columns; anything else reads them as one matrix."""
    first = estimator
    while hasattr(first, "steps"):
        first = first.steps[0][1]
    if hasattr(first, "transformers_"):
        return False
    if len({column.type == "string" for column in columns.all}) > 1:
        raise Refused(
            "not_convertible",
            "The pipeline reads texts and numbers as one matrix: put a ColumnTransformer first.",
        )
    return True


def _initial_types(columns: Columns, together: bool) -> list[tuple[str, Any]]:
    def kind(column_type: str) -> Any:
        return StringTensorType if column_type == "string" else DoubleTensorType

    if together:
        whole = kind(columns.all[0].type)
        return [("berth:matrix", whole([None, len(columns.all)]))]
    return [(column.name, kind(column.type)([None, 1])) for column in columns.all]


def _output_names(estimator: Any) -> list[str]:
    if not is_classifier(estimator):
        return ["prediction"]
    return ["label", "probabilities"] if hasattr(estimator, "predict_proba") else ["label"]
