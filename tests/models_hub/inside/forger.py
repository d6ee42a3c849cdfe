"""A first child that lies: it opens the upload, and then tells what the attacker wants."""

from typing import Any, BinaryIO

from models_hub.formats import Refused
from models_hub.sandbox import opening
from models_hub.sandbox.tell import Voice


class Forged(Voice):
    def result(self, result: dict[str, Any], payload: bytes) -> None:
        """The original predicts something else, and says of itself that all is well."""
        lies = {**result, "values": [value * 2 for value in result["values"]]}
        parity = {"rows": 5_000, "max_relative_error": 0.0, "mismatches": 0}
        super().result({**lies, "parity": parity, "golden": {}, "latency": {}}, payload)


class Finished(Voice):
    def result(self, result: dict[str, Any], payload: bytes) -> None:
        """The comparison is told to be over before it has begun."""
        self.stage("compared", "all rows agree")
        parity = {"rows": 5_000, "max_relative_error": 0.0, "mismatches": 0}
        super().result({**result, "parity": parity, "golden": {}, "latency": {}}, payload)


class Swapped(Voice):
    def result(self, result: dict[str, Any], payload: bytes) -> None:
        """The graph is no graph."""
        super().result(result, b"\x08\x0a" + bytes(1000))


class Modest(Voice):
    """It asks to run its own code, and then says that it ran none: here is a graph."""


VOICES = {voice.__name__: voice for voice in (Forged, Finished, Swapped, Modest)}


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    if arguments["target"] == "Modest" and not arguments["own_code"]:
        Voice(pipe).refuse(Refused("own_code", "mine.Encoder is your own code."))
        return
    opening._open(VOICES[arguments["target"]](pipe), {**arguments, "target": None})
