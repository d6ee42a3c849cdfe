"""The note that an embedded database fits this code, so that a second start need not look."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Prepared:
    """``fits``: of which code and which database; ``sign_in``: the demo's, where it was seeded."""

    fits: str
    sign_in: str | None


def read(home: Path) -> Prepared | None:
    """The note, if it is about today's code and the database that lies in ``home``."""
    with suppress(OSError, ValueError, TypeError):
        note = Prepared(**json.loads((home / "prepared.json").read_text()))
        return note if note.fits == _fits(home) else None
    return None


def write(home: Path, sign_in: str | None) -> None:
    """Note that everything is in place. Without an embedded database there is nothing to note."""
    with suppress(FileNotFoundError):
        note = Prepared(_fits(home), sign_in)
        (home / "prepared.json").write_text(json.dumps(asdict(note)))


def _fits(home: Path) -> str:
    database = (home / "postgres" / "data" / "PG_VERSION").stat()
    digest = hashlib.sha256(f"{database.st_ino} {database.st_mtime_ns}".encode())
    for path in [*sorted(ROOT.glob("*/migrations/*.py")), ROOT / "requirements.lock"]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
