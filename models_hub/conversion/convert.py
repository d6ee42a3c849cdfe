"""A fitted scikit-learn estimator becomes ONNX."""

from typing import Any

from onnx import ModelProto

from models_hub.conversion.columns import columns_of
from models_hub.conversion.feed import Feed
from models_hub.conversion.original import FittedOriginal
from models_hub.conversion.outputs import output_of
from models_hub.conversion.sample import Sample
from models_hub.conversion.task import Converted, Stage, Task
from models_hub.conversion.to_onnx import to_onnx
from models_hub.formats.refusal import Refused


def convert(
    estimator: Any,
    sample: Sample | None,
    target: str | None,
    seed: int,
    stage: Stage,
    why_native: Refused | None = None,
) -> Converted:
    """A fitted scikit-learn estimator: infer its signature, convert it, ask it for its answers.

    `why_native` (`not_convertible`) says that it is not to be converted. Raises `Refused`.
    Whether the graph is right is judged elsewhere, on the same rows.
    """
    output = output_of(estimator, target)
    columns = columns_of(estimator, None if sample is None else sample.names)
    if not columns.used:
        raise Refused("columns_unusable", "No step of the pipeline looks at any column.")
    original = FittedOriginal(estimator, Feed(columns))
    task = Task(columns.used, output, sample, seed, original, stage)

    def build(refusing: bool) -> ModelProto:
        if why_native is not None:
            raise why_native
        return to_onnx(estimator, columns, refusing=refusing)

    return task.run(build)
