"""Where the embedded servers' sockets lie for a given BERTH_HOME."""

import hashlib
import os
from pathlib import Path

# A socket's path has 108 bytes on Linux and 104 on macOS, the closing zero included.
LONGEST = 100


def folder(home: Path) -> Path:
    """The folder of all sockets: in ``home`` (absolute), or a short one where that is too long."""
    inside = home / "sockets"
    if len(os.fsencode(inside / "postgres" / ".s.PGSQL.5432")) <= LONGEST:
        return inside
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    # Not tempfile.gettempdir(): two processes with different TMPDIR have to meet here.
    return Path("/tmp") / f"berth-{name}"  # noqa: S108  (its owner is checked before use)


def postgres_socket(home: Path) -> Path:
    """The folder in which PostgreSQL makes its socket."""
    return folder(home) / "postgres"


def valkey_socket(home: Path) -> Path:
    """Valkey's socket."""
    return folder(home) / "valkey.sock"
