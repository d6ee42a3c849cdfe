"""Loading a graph that is not sealed yet into the one kernel."""

from berth.bundle import Bundle, BundleError
from berth.predictor import Predictor
from berth.signature import Signature
from models_hub.formats.refusal import Refused


def load(onnx: bytes, signature: Signature) -> Predictor:
    """A Predictor of a graph that is not sealed yet; raises `Refused` (`not_convertible`)."""
    try:
        return Predictor(Bundle(b"", onnx, signature, {}))
    except BundleError as error:
        raise Refused(
            "not_convertible", f"The converted graph cannot be loaded ({str(error)[:200]})."
        ) from error
