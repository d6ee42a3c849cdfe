"""A model that answers in a process of its own behind the walls: the host's side of one process."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from berth.predictions import PredictionError, Predictions, finite
from berth.signature import Signature
from models_hub.formats import FORMATS, Refused
from models_hub.sandbox import claims, frames, packing
from models_hub.sandbox.forms import Form
from models_hub.sandbox.limits import SERVING_BYTES, Limits
from models_hub.sandbox.packing import Columns
from models_hub.sandbox.process import Child, NoSandbox

SERVING = "models_hub.sandbox.serving"
START_SECONDS = 30.0
MOST_ROWS = 1_000  # in one frame; more are asked in several
MAX_ERROR = 300
#: No end of processor time, since it serves as long as it is asked; each call has an end.
#: In JSON it says an error at most, and this is read in a web process.
LIMITS = Limits(wall=START_SECONDS, cpu=None, memory=SERVING_BYTES, result=64 << 20, json=1 << 16)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that it takes to start a model's process, but for the file.

    `names` are the columns' of an estimator that was fitted without names, in their order.
    `own_code` lets the file bring code.
    """

    format: str
    signature: Signature
    names: tuple[str, ...] = ()
    own_code: bool = False


def check(format: str, form: Form, *, trusted: bool = False) -> None:
    """Raise `NoSandbox` if `form` is no wall against what a file of the format can bring.
    `trusted` says that we made the file ourselves."""
    if FORMATS[format].brings_code and not (form.holds_code or trusted):
        raise NoSandbox(f"A {format} file can bring code, and no sandbox is in use here.")


class Failed(Exception):
    """The process died, took too long or answered nonsense: it is gone. Its text says which."""


class Resident:
    """One model's process. Its methods are for one thread at a time.

    It starts at once and belongs to the thread that made it (see `Child`); `settle` is to be
    called before anything else, by any thread. After `Failed` it has ended.
    """

    def __init__(self, recipe: Recipe, path: Path, form: Form, limits: Limits = LIMITS) -> None:
        """Start it for the file at `path`, which must stay there until `settle` has returned.
        Raises `NoSandbox`."""
        self.recipe = recipe
        arguments = {"format": recipe.format, "own_code": recipe.own_code}
        self._child = Child(SERVING, arguments, limits, form, {"path": path})
        self._numbers = itertools.count(1)

    def settle(self, seconds: float = START_SECONDS) -> None:
        """Let it open the file and warm up. Raises `Refused` and `NoSandbox`; then it is gone."""
        told = {"signature": self.recipe.signature.to_json(), "names": list(self.recipe.names)}
        try:
            kind, payload = self._child.call(told, seconds)
            message = frames.parse(payload) if kind == frames.JSON else {}
            if message.get("event") == "refused":
                raise claims.refusal(message)
            if message.get("event") != "serving":
                raise claims.garbled("the model's process began with something else")
        except frames.Garbled as error:
            self.end()
            raise claims.garbled(str(error)) from error
        except BaseException:
            self.end()
            raise

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._child.alive

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._child.pid

    def end(self) -> None:
        """Kill it. May be called again."""
        self._child.end()

    def predict(self, columns: Columns, seconds: float) -> Predictions:
        """What the model answers for coerced columns, within `seconds` for all rows together.

        Raises `PredictionError` where the model raises or its answer is no finite number, and
        `Failed`.
        """
        found = self.ask(columns, seconds)
        if found.labels is None:
            finite(found.values)
        if found.probabilities is not None:
            finite(found.probabilities)
        return found

    def ask(self, columns: Columns, seconds: float) -> Predictions:
        """As `predict`, with numbers that need not be finite."""
        rows = len(columns[self.recipe.signature.inputs[0].name])
        until = time.monotonic() + seconds
        starts = range(0, rows, MOST_ROWS)
        return _joined([self._ask(_some(columns, start), until) for start in starts])

    def _ask(self, columns: Columns, until: float) -> Predictions:
        number, signature = next(self._numbers), self.recipe.signature
        question = packing.pack_question(number, signature, columns)
        try:
            kind, payload = self._child.call(question, max(until - time.monotonic(), 0.001))
            if kind == frames.JSON:
                raise _raised(payload)
            rows = len(columns[signature.inputs[0].name])
            return packing.unpack_answer(number, rows, signature, payload)
        except PredictionError:
            raise
        except Refused as refusal:
            self.end()
            raise Failed(_sentence(refusal)) from refusal
        except (packing.Misfit, frames.Garbled, NoSandbox) as error:
            self.end()
            raise Failed("The model's process gave no usable answer.") from error
        except BaseException:  # an answer that is still to come must not be taken for the next one
            self.end()
            raise


def _some(columns: Columns, start: int) -> Columns:
    return {name: cells[start : start + MOST_ROWS] for name, cells in columns.items()}


def _joined(parts: Sequence[Predictions]) -> Predictions:
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([part.values for part in parts])
    chances = [part.probabilities for part in parts if part.probabilities is not None]
    if chances and len(chances) < len(parts):
        raise PredictionError("The model gave probabilities for some rows alone.")
    return Predictions(values, np.concatenate(chances) if chances else None, parts[0].labels)


def _raised(payload: bytes) -> PredictionError:
    """The error that the model raised, in its process's words."""
    detail = claims.text(frames.parse(payload).get("error"), MAX_ERROR)
    return PredictionError(f"The model failed: {detail or 'it did not say why'}")


def _sentence(refusal: Refused) -> str:
    if refusal.code == "inspection_timeout":
        return "The model took too long for these rows, so its process was ended."
    return "The model's process ended as it was asked."
