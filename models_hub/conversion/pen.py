"""What writes ONNX nodes, and functions that have it write some."""

from collections.abc import Callable
from typing import Any, Protocol


class Pen(Protocol):
    """What writes nodes: inside a conversion an `Emitter`, behind one a `graph.GraphPen`."""

    def constant(self, array: Any) -> str:
        """The name of a new constant."""

    def node(self, kind: str, *inputs: str, domain: str = "", out: str = "", **attrs: Any) -> str:
        """Add one node with one output; returns the output's name."""


#: Takes a pen and the name of a value, has nodes written, gives the name of the outcome.
Write = Callable[[Pen, str], str]
