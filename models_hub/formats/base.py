"""What every format answers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from models_hub.formats.refusal import Refused

#: How many of a file's first bytes `sniff` wants to see.
HEAD = 512


@dataclass(frozen=True, slots=True)
class Opened:
    """`model` is a fitted estimator or an ONNX `ModelProto`; `facts` are for the report.
    `own_code` says that code out of the file was run: what it predicts is never served outside
    of the sandbox."""

    model: Any
    facts: dict[str, Any]
    own_code: bool = False


def demand_predictor(model: Any) -> None:
    """Raise `Refused` (`not_a_predictor`) for what is no model at all."""
    if not hasattr(type(model), "predict"):
        raise Refused(
            "not_a_predictor",
            f"The file holds a {type(model).__name__[:60]}, not a model: save the whole fitted "
            "pipeline with its final estimator.",
        )


class Format(ABC):
    """One kind of uploaded file.

    `sniff` runs in the web process and looks at bytes only. `inspect` and `open` read a
    stranger's file: they run in the sandboxed process and nowhere else.
    """

    name: ClassVar[str]
    extensions: ClassVar[tuple[str, ...]]
    brings_code: ClassVar[bool] = True
    """Whether opening such a file can run what its author wrote: never without a sandbox."""

    @abstractmethod
    def matches(self, head: bytes) -> bool:
        """Could a file of this format begin with `head`?"""

    def sniff(self, head: bytes, filename: str) -> bool:
        """Do content (the first `HEAD` bytes) and extension both say this format?"""
        return self.claims(filename) and self.matches(head)

    def claims(self, filename: str) -> bool:
        """Does the file's name say this format?"""
        return filename.lower().endswith(self.extensions)

    @abstractmethod
    def inspect(self, path: Path) -> dict[str, Any]:
        """Check what can be checked without building any object of the file.

        Returns facts for the report (JSON values); raises `Refused`.
        """

    @abstractmethod
    def open(self, path: Path, own_code: bool = False) -> Opened:
        """Inspect the file, then build what it holds. Raises `Refused`.

        `own_code` lets a pickle run the code that it brings: for files whose operator and whose
        organisation both chose so, inside the sandbox and nowhere else. Other formats bring none.
        """
