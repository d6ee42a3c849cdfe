"""The job of a native model's process: open the upload once, then answer as often as asked."""

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from berth.signature import MISSING_STRING, Field, Signature
from models_hub.conversion.answers import Answers
from models_hub.formats import FORMATS, Refused
from models_hub.sandbox import frames, lean, packing
from models_hub.sandbox.tell import Voice, perform

Ask = Callable[[dict[str, Any]], Answers]


def run(arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    """`arguments`: path, format, own_code. Given: {signature, names} as JSON, then questions.

    It says {"event": "serving"} or a refusal; then each question has one answer: bytes, or
    {"error": a sentence} where the model raises.
    """
    perform(lambda voice, arguments: _serve(voice, arguments, given, pipe), arguments, pipe)


def _serve(voice: Voice, arguments: dict[str, Any], given: BinaryIO, pipe: BinaryIO) -> None:
    told = frames.read(given)
    if told is None:
        return
    asked = frames.parse(told[1])
    signature = Signature.from_json(asked["signature"])
    lean.import_sklearn()
    _check_parameters_no_more()
    opened = FORMATS[arguments["format"]].open(Path(arguments["path"]), arguments["own_code"])
    # imported here because `lean` has to come first
    from models_hub.conversion.original import original_of

    ask = original_of(opened.model, asked["names"], brief=True).ask
    _warm_up(ask, signature)
    gc.collect()
    gc.freeze()  # what is loaded now stays, and need not be walked again: an eighth of a call
    frames.write_json(pipe, {"event": "serving"})
    while (question := frames.read(given)) is not None:
        _reply(pipe, lambda data=question[1]: _answer(ask, signature, data))  # type: ignore[misc]  # mypy can't type a lambda with defaults


def _check_parameters_no_more() -> None:
    """At each call scikit-learn would check again what a transformer was made with, which takes
    longer than many a model: that was checked when it was fitted. What is asked is checked all
    the same."""
    import sklearn  # here because `lean` has to come first

    sklearn.set_config(skip_parameter_validation=True)


def _warm_up(ask: Ask, signature: Signature) -> None:
    """The first call of all imports and builds what later ones find. What it says is no matter."""
    row = {field.name: np.array([[_plausible(field)]]) for field in signature.inputs}
    columns = {
        name: cells.astype(object if cells.dtype.kind == "U" else float)
        for name, cells in row.items()
    }
    with suppress(Exception):
        ask(columns)


def _plausible(field: Field) -> Any:
    if field.choices:
        return str(field.choices[0]) if field.type == "string" else float(field.choices[0])
    if field.type == "string":
        return MISSING_STRING if field.nullable else "a"
    return 0.0 if field.minimum is None else float(field.minimum)


def _answer(ask: Ask, signature: Signature, data: bytes) -> bytes:
    number, columns = packing.unpack_question(signature, data)
    found = ask(columns)
    return packing.pack_answer(number, signature, found.values, found.probabilities)


def _reply(pipe: BinaryIO, answer: Callable[[], bytes]) -> None:
    try:
        frames.write_bytes(pipe, answer())
    except Refused as refusal:
        frames.write_json(pipe, {"error": refusal.detail})
    except MemoryError:
        frames.write_json(pipe, {"error": "The model needs more memory than it may have."})
    except Exception as error:  # noqa: BLE001 - a stranger's model can fail in any way at all
        frames.write_json(pipe, {"error": f"{type(error).__name__}: {error}"[:300]})
    sys.stdout.flush()
