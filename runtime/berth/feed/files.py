"""Files that several processes share and that a kill at any moment leaves whole."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

UNFINISHED = ".new-"  # how the names of files begin that are still being written


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file: whoever reads it, now or after a power cut, finds the old or the new
    one. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        move_whole(Path(name), path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def move_whole(written: Path, path: Path) -> None:
    """Give a written file in the same file system its name, for good. Raises OSError."""
    with written.open("rb+") as file:
        os.fsync(file.fileno())
    written.replace(path)
    if sys.platform != "win32":  # Windows opens no folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One thread of one process at a time; a process that dies lets go. The file stays.

    On Windows there is no such lock: let one process have the folder there.
    """
    with path.open("ab") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
