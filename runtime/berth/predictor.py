"""The kernel: a Bundle and columns in, predictions out. Every door calls this, and only this."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from berth.bundle import Bundle, BundleError, read
from berth.predictions import PredictionError, Predictions, finite
from berth.problems import InvalidInput
from berth.signature import Signature

# The variable that berth/__init__.py sets counts when the library loads; this call also
# holds where somebody imported onnxruntime before berth.
onnxruntime.disable_telemetry_events()

_ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,
)
_SILENT = 4  # only fatal lines: what fails is raised, not printed
# A session's memory, measured on a linear model, boosted trees and a forest (resident size
# of 4 to 40 sessions): 0.13 MB each and 4.6 to 5.2 times the file's bytes.
_SESSION_BYTES = 150_000
_BYTES_PER_ONNX_BYTE = 6
# What the golden rows may differ by: other processors add up in another order, in float32.
_GOLDEN_RELATIVE = 1e-5
_GOLDEN_ABSOLUTE = 1e-7


class Average:
    """A moving average, the newest value for an eighth of it. A lost update does no harm."""

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, value: float) -> None:
        self.value += (value - self.value) / 8 if self.value else value


class Predictor:
    """A Bundle's model, loaded. Safe to use from many threads at once."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        """Load the model; `threads` is how many one call may use.

        Raises BundleError (`native`, `unloadable`, `wrong_interface`).
        """
        if not bundle.onnx:
            detail = "This model runs natively: it answers in the portal that sealed it alone."
            raise BundleError("native", detail)
        self.signature = bundle.signature
        self.manifest = bundle.manifest
        self.sha256 = bundle.sha256
        self.nbytes = _SESSION_BYTES + _BYTES_PER_ONNX_BYTE * len(bundle.onnx)
        self.row_seconds = Average()  # kept by whoever decides in which thread to predict
        self._session = _session(bundle.onnx, threads)
        self._inputs = _checked_inputs(self._session, self.signature)
        self._outputs = _checked_outputs(self._session, self.signature)
        self._labels = self.signature.output.labels
        plain = all(type(label) in (str, int) for label in self._labels or ())
        # ONNX knows only texts and whole numbers as labels: True comes back as 1.
        self._relabel = None if plain else {label: label for label in self._labels or ()}

    @classmethod
    def from_bytes(
        cls, data: bytes, public_key: Ed25519PublicKey | None, threads: int = 1
    ) -> "Predictor":
        """Check and load a Bundle's file. Raises BundleError."""
        return cls(read(data, public_key), threads)

    def predict(self, columns: Mapping[str, NDArray[Any]]) -> Predictions:
        """Predict coerced columns (Coerced.columns: [n, 1], float64 or object of str).

        Raises PredictionError when the model fails or answers what is no finite number,
        KeyError when a column is not there.
        """
        rows = len(next(iter(columns.values())))
        feeds = {name: columns[name] for name in self._inputs}
        try:
            outputs = self._session.run(self._outputs, feeds)
        except _ORT_ERRORS as error:
            raise PredictionError(f"The model failed: {error}") from error
        if self._labels is None:
            return Predictions(finite(_shaped(outputs[0], (rows,))))
        labels = self._named(outputs[0].reshape(rows))
        if len(outputs) == 1:
            return Predictions(labels, None, self._labels)
        probabilities = finite(_shaped(outputs[1], (rows, len(self._labels))))
        return Predictions(labels, probabilities, self._labels)

    def verify_golden(self) -> int:
        """Run the manifest's golden rows, and say how many there were.

        Raises BundleError (`golden`) when a prediction is not the one that was sealed.
        """
        golden = self.manifest.get("golden") or {"instances": [], "predictions": []}
        if not golden["instances"]:
            return 0
        try:
            coerced = self.signature.coerce(golden["instances"])
            answer = self.predict(coerced.columns).to_json()
        except (InvalidInput, PredictionError) as error:
            raise BundleError("golden", f"The golden rows cannot be predicted: {error}") from error
        for key, got in answer.items():
            if key in golden and not _agree(got, golden[key]):
                detail = f"This machine's {key} for the golden rows are not those that were sealed."
                raise BundleError("golden", detail)
        return coerced.rows

    def _named(self, labels: NDArray[Any]) -> NDArray[Any]:
        if self._relabel is None:
            return labels
        names = np.empty(len(labels), dtype=object)
        names[:] = [self._relabel.get(label, label) for label in labels.tolist()]
        return names


def _session(onnx: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session that stays small and quiet, so that fifty fit into a web process.

    Without the arena a session keeps no memory of its largest call, and at one row it is
    no slower; without spinning an idle thread costs nothing.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = _SILENT
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as error:
        raise BundleError("unloadable", f"onnxruntime cannot load the model: {error}") from error


def _checked_inputs(session: onnxruntime.InferenceSession, signature: Signature) -> list[str]:
    """The names that the model reads: fields of the signature, in the types we feed."""
    wanted = {
        field.name: "tensor(string)" if field.type == "string" else "tensor(double)"
        for field in signature.inputs
    }
    given = {node.name: node.type for node in session.get_inputs()}
    for name, kind in given.items():
        if wanted.get(name) != kind:
            detail = f'The model reads "{name}" as {kind}, its signature says {wanted.get(name)}.'
            raise BundleError("wrong_interface", detail)
    return list(given)


def _checked_outputs(session: onnxruntime.InferenceSession, signature: Signature) -> list[str]:
    """The outputs to ask for: the prediction, or the label and, if it has any, probabilities."""
    nodes = session.get_outputs()
    names = [node.name for node in nodes]
    if signature.output.kind == "regression":
        return names[:1]
    if len(nodes) == 1 and nodes[0].type in ("tensor(double)", "tensor(float)"):
        detail = "A classification answers labels, but the model has one output, of numbers."
        raise BundleError("wrong_interface", detail)
    return names[:2]


def _shaped(output: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A numeric output as float64 of the shape; [n, 1] is [n]."""
    if not isinstance(output, np.ndarray) or output.size != math.prod(shape):
        had = getattr(output, "shape", type(output).__name__)
        raise PredictionError(f"The model answered {had} where {shape} was due.")
    shaped: NDArray[Any] = output.reshape(shape)
    return shaped if shaped.dtype.char == "d" else shaped.astype(np.float64)


def _agree(got: list[Any], sealed: Any) -> bool:
    if got and isinstance(got[0], str | bool):
        return bool(got == sealed)
    try:
        there = np.asarray(sealed, dtype=np.float64)
        here = np.asarray(got, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    close = here.shape == there.shape and np.allclose(
        here, there, rtol=_GOLDEN_RELATIVE, atol=_GOLDEN_ABSOLUTE
    )
    return bool(close)
