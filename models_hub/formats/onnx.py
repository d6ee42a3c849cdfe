"""ONNX files."""

from pathlib import Path
from typing import Any

from models_hub.formats.base import Format, Opened
from models_hub.formats.refusal import Refused

# A ModelProto begins with the field ir_version (tag 0x08) in every file that a writer known to us
# makes; its values have been 3 to 13.
IR_VERSION = b"\x08"


class Onnx(Format):
    name = "onnx"
    extensions = (".onnx",)
    brings_code = False

    def matches(self, head: bytes) -> bool:
        return len(head) > 8 and head[:1] == IR_VERSION and 3 <= head[1] <= 13

    def inspect(self, path: Path) -> dict[str, Any]:
        return self.open(path).facts

    def open(self, path: Path, own_code: bool = False) -> Opened:
        # imported here because onnx must never reach the web process
        from models_hub.formats.onnx_vetting import parse, vet

        data = path.read_bytes()
        if not self.matches(data[:16]):
            raise Refused("onnx_corrupt", "This is not an ONNX file.")
        model = vet(data)
        claimed = parse(data)
        facts = {
            "producer": f"{claimed.producer_name} {claimed.producer_version}".strip()[:100],
            "nodes": len(model.graph.node),
            "inputs": len(model.graph.input),
        }
        return Opened(model, facts)
