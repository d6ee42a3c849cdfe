"""An uploaded ONNX graph becomes one in the Bundle's shape; no scikit-learn is imported for it."""

from onnx import ModelProto

from models_hub.conversion import wrap
from models_hub.conversion.sample import Sample
from models_hub.conversion.task import Converted, Stage, Task


def adopt(
    model: ModelProto, sample: Sample | None, target: str | None, seed: int, stage: Stage
) -> Converted:
    """Infer a vetted graph's signature, wrap it, and ask the graph as it came for its answers.

    Raises `Refused`. Whether the graph is right is judged elsewhere, on the same rows.
    """
    labels = wrap.labels_of_graph(model)
    wrap.strip_zipmap(model)
    entries = wrap.entries_of(model, None if sample is None else sample.names)
    output = wrap.output_of_graph(model, labels, target)
    original = wrap.OriginalGraph(model.SerializeToString(), entries, output)
    columns = wrap.columns_of_entries(model, entries)
    task = Task(columns, output, sample, seed, original, stage)
    found = task.run(lambda refusing: wrap.wrapped(model, entries, output))
    found.graph()  # there is nothing else that could answer for a graph
    return found
