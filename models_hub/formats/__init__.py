"""The file formats that an upload may have.

Importing this package imports no machine-learning library: the web process uses it to recognise
a file by its first bytes. Opening a file needs the libraries and happens in the sandbox.
"""

from models_hub.formats.base import HEAD, Format, Opened
from models_hub.formats.onnx import Onnx
from models_hub.formats.pickled import Joblib, Pickle
from models_hub.formats.refusal import Refused
from models_hub.formats.skops import Skops

FORMATS: dict[str, Format] = {
    "onnx": Onnx(),
    "skops": Skops(),
    "joblib": Joblib(),
    "pickle": Pickle(),
}


def recognise(head: bytes, filename: str) -> Format:
    """The format of a file from its first `HEAD` bytes and its name.

    Raises `Refused`: `file_empty`, `format_unknown`, or `type_mismatch` when the content is not
    what the name says.
    """
    if not head:
        raise Refused("file_empty", "The file is empty.")
    named = next((format for format in FORMATS.values() if format.claims(filename)), None)
    if named is None:
        known = ", ".join(ending for format in FORMATS.values() for ending in format.extensions)
        raise Refused("format_unknown", f"The file's name must end in one of {known}.")
    if not named.matches(head):
        raise Refused(
            "type_mismatch",
            f"The name says {named.name}, the content does not: save the model again and "
            "upload that file unchanged.",
        )
    return named


__all__ = ["FORMATS", "HEAD", "Format", "Opened", "Refused", "recognise"]
