"""Graphs in the form that browsers run, measured as the judge does it."""

import numpy as np

from berth.signature import Signature
from models_hub.browser.measuring import Outcome, measure
from models_hub.conversion.draw import draw
from models_hub.conversion.loading import load
from models_hub.conversion.parity import predict
from models_hub.formats.onnx_vetting import vet


def measured(onnx: bytes, signature: Signature, seed: int = 1) -> Outcome:
    """The lane that is open for the graph, on rows drawn from the signature."""
    model = vet(onnx)
    columns = draw(signature, {}, seed)
    got = predict(load(model.SerializeToString(), signature), columns)
    answered = np.array([value == value for value in got.values.tolist()])  # the judge's are
    columns, got = {name: cells[answered] for name, cells in columns.items()}, got.take(answered)
    return measure(model, signature, columns, len(got.values), got)
