"""joblib and pickle: recognised, and refused with the way out, until a sandbox can open them."""

from pathlib import Path
from typing import NoReturn

from models_hub.formats.base import Format
from models_hub.formats.refusal import Refused

PICKLE = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
OLD_PICKLE = (b"(", b"c", b"]", b"}")  # protocols 0 and 1 have no header, but begin like this
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00\x00", b"\x04\x22\x4d\x18", b"x")


class _Pickled(Format):
    def inspect(self, path: Path) -> NoReturn:
        raise Refused(
            "pickle_not_accepted_yet",
            f"A {self.name} file can run any code when it is opened, so it is not accepted yet. "
            'Save the fitted pipeline with skops instead: skops.io.dump(pipeline, "model.skops").',
        )

    def open(self, path: Path) -> NoReturn:
        self.inspect(path)


class Joblib(_Pickled):
    name = "joblib"
    extensions = (".joblib", ".joblib.gz")

    def matches(self, head: bytes) -> bool:
        return head.startswith(PICKLE + OLD_PICKLE + COMPRESSED)


class Pickle(_Pickled):
    name = "pickle"
    extensions = (".pkl", ".pickle")

    def matches(self, head: bytes) -> bool:
        return head.startswith(PICKLE + OLD_PICKLE + COMPRESSED)
