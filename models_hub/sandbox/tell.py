"""How a job inside the sandbox speaks: stages, a refusal, a result."""

from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from models_hub.formats import Refused
from models_hub.sandbox import frames

Job = Callable[["Voice", dict[str, Any]], None]


class Voice:
    """Writes messages to the parent."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def stage(self, name: str, detail: str) -> None:
        """A stage is done."""
        frames.write_json(self._pipe, {"event": "stage", "name": name, "detail": detail})

    def refuse(self, refusal: Refused) -> None:
        """The upload is refused."""
        message = {"event": "refused", "code": refusal.code, "detail": refusal.detail}
        frames.write_json(self._pipe, {**message, "figures": refusal.figures})

    def result(self, result: dict[str, Any], payload: bytes) -> None:
        """The job, or a part of it, is done."""
        frames.write_json(self._pipe, {"event": "result", **result})
        frames.write_bytes(self._pipe, payload)


def perform(job: Job, arguments: dict[str, Any], pipe: BinaryIO) -> None:
    """Run a job; whatever it raises becomes a refusal."""
    voice = Voice(pipe)
    try:
        with np.errstate(all="ignore"):
            job(voice, arguments)
    except Refused as refusal:
        voice.refuse(refusal)
    except MemoryError:
        voice.refuse(
            Refused("inspection_out_of_memory", "The model needs more memory than it may have.")
        )
    except Exception as error:  # noqa: BLE001 - a stranger's model can fail in any way at all
        text = f"{type(error).__name__}: {error}"[:300]
        voice.refuse(Refused("inspection_failed", f"The model could not be inspected ({text})."))
