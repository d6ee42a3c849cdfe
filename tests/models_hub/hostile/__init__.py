"""Hostile uploads of our own making, and a runner that opens each in a process of its own.

Where a file can bring code, that code makes a marker file: if it is there afterwards, it ran.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Makes the file's bytes; the path is that of the marker which its code, if it ran, would make.
Build = Callable[[Path], bytes]


@dataclass(frozen=True)
class Case:
    """A hostile file: what it is, what it is named, and the code that it is refused with."""

    what: str
    filename: str
    code: str
    build: Build
