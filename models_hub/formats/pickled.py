"""joblib and pickle: one reading path for both, since people rename files."""

from pathlib import Path
from typing import Any

from models_hub.formats import compression
from models_hub.formats.alone import predict_alone
from models_hub.formats.base import Format, Opened, demand_predictor
from models_hub.formats.haste import READING_SECONDS, at_most
from models_hub.formats.refusal import Refused

PICKLE = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
OLD_PICKLE = (b"(", b"c", b"]", b"}")  # protocols 0 and 1 have no header, but begin like this
PACKED = ("", ".z", ".gz", ".bz2", ".xz", ".lzma")


class _Pickled(Format):
    def matches(self, head: bytes) -> bool:
        return head.startswith(PICKLE + OLD_PICKLE) or compression.is_packed(head)

    def inspect(self, path: Path) -> dict[str, Any]:
        """What the file is without reading it: its size on disk and unpacked, in bytes."""
        return self._facts(path, compression.unpacked(path))

    def open(self, path: Path, own_code: bool = False) -> Opened:
        # imported here because they must never reach the web process
        from models_hub.formats.bounds import check_bounds
        from models_hub.formats.unpickling import read

        data = compression.unpacked(path)
        facts = self._facts(path, data)
        try:
            with at_most(READING_SECONDS):
                model, saved_by = read(data)
        except Refused as refusal:
            if own_code and refusal.code == "own_code":
                return _with_code(data, facts, refusal)
            raise
        predict_alone()
        demand_predictor(model)
        check_bounds(model)
        return Opened(model, facts | ({"saved_by": f"scikit-learn {saved_by}"} if saved_by else {}))

    def _facts(self, path: Path, data: bytes) -> dict[str, Any]:
        if not data.startswith(PICKLE + OLD_PICKLE):
            raise Refused("type_mismatch", f"The content is not what a {self.name} file holds.")
        return {"bytes": path.stat().st_size, "unpacked": len(data)}


def _with_code(data: bytes, facts: dict[str, Any], refusal: Refused) -> Opened:
    """Run what the file brings: only where the operator and the organisation both allow it."""
    from models_hub.formats.native import load  # runs code: never outside the sandbox

    names = refusal.figures.get("names")
    brought = ", ".join(names) if isinstance(names, list) else ""
    model = load(data)
    predict_alone()
    return Opened(model, {**facts, "own_code": brought[:200]}, own_code=True)


class Joblib(_Pickled):
    name = "joblib"
    extensions = tuple(f".joblib{packed}" for packed in PACKED)


class Pickle(_Pickled):
    name = "pickle"
    extensions = tuple(f"{ending}{packed}" for ending in (".pkl", ".pickle") for packed in PACKED)
