"""Reading a pickle with the real unpickler, and resolving only the names that are on the list.

There is no scanner that could read the file otherwise than the unpickler does. Run this in the
sandbox: a file with allowed names alone can still use up memory or time, or crash the process.
"""

import io
import pickle
import re
import warnings
from typing import Any

import sklearn
from joblib.numpy_pickle import NumpyUnpickler

from models_hub.formats import allowed
from models_hub.formats.refusal import Refused
from models_hub.formats.standins import STAND_INS, Foreign

MAX_NAMES = 20
JOBLIB = b"joblib.numpy_pickle"
_VERSION = re.compile(rb"_sklearn_version.{1,24}?([0-9]+\.[0-9]+[0-9A-Za-z.+]{0,20})", re.DOTALL)
_NAMED = 4  # of the names that a refusal is about
_WAY_OUT = (
    "Replace it by scikit-learn's own (an encoder, a FunctionTransformer of a numpy function), or "
    "convert the pipeline to ONNX and upload that."
)


class _ListOnly:
    """`find_class` for both unpicklers. The first name outside the list decides: Python's or a
    library's ends the reading there, one of somebody's own is noted, and the file is refused
    with all of those when it is read."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.own: list[str] = []

    def find_class(self, module: str, name: str) -> Any:
        """The object of an allowed name. Raises `Refused` (`pickle_forbidden_global`)."""
        try:
            return STAND_INS.get((module, name)) or allowed.resolve(module, name)
        except KeyError:
            shown = _shown(f"{module}.{name}")
        except (AttributeError, ImportError) as error:
            raise Refused("model_damaged", f"This server has no {module}.{name}.") from error
        if not self.own and not allowed.is_own(module):
            raise Refused(
                "pickle_forbidden_global",
                f"The file refers to {shown}, which no fitted pipeline needs and which is never "
                f"run here. {_WAY_OUT}",
                {"names": [shown]},
            )
        if shown not in self.own and len(self.own) < MAX_NAMES:
            self.own.append(shown)
        return _maker(self.own) if name == "_make_skeleton_class" else Foreign

    def persistent_load(self, _: Any) -> Any:
        """Nothing is kept outside of the file."""
        raise pickle.UnpicklingError("it keeps a part outside of the file")


class _Plain(_ListOnly, pickle.Unpickler):
    """Pickles."""


class _Joblib(_ListOnly, NumpyUnpickler):  # type: ignore[misc]  # joblib is untyped
    """What joblib writes: a pickle with arrays' bytes in between, so pickle itself can't go on."""


def _shown(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name[:120])


def _maker(own: list[str]) -> Any:
    """cloudpickle's builder of a class from its code: the class's name is its second argument."""

    def make(*arguments: Any, **_: Any) -> type[Foreign]:
        if len(arguments) > 1 and isinstance(arguments[1], str):
            own.insert(0, _shown(f"__main__.{arguments[1]}"))
        return Foreign

    return make


def read(data: bytes) -> tuple[Any, str]:
    """The one object that the bytes describe, and the scikit-learn that wrote it ("" if this one).

    Raises `Refused`: `pickle_forbidden_global`, `own_code` (with the names), `pickle_corrupt`,
    `pickle_bomb`, `sklearn_version_unsupported`, `model_damaged`.
    """
    stream = io.BytesIO(data)
    reader = _Joblib("", stream, True) if JOBLIB in data else _Plain(stream)
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        found = _load(reader, data)
    if reader.own:
        raise _own_code(reader.own)
    if stream.read(1):
        raise Refused("pickle_corrupt", "Something follows the object that the file holds.")
    versions = (getattr(note.message, "original_sklearn_version", None) for note in noted)
    saved_by = next((str(version)[:40] for version in versions if version is not None), "")
    return found, saved_by


def _load(reader: Any, data: bytes) -> Any:
    try:
        return reader.load()
    except Refused:
        raise
    except (MemoryError, OverflowError, RecursionError) as error:
        if reader.own:
            return None
        raise Refused("pickle_bomb", "The file asks for more memory than it may have.") from error
    except (pickle.UnpicklingError, EOFError) as error:
        if reader.own:
            return None
        raise Refused("pickle_corrupt", f"This is not a whole pickle: {_said(error)}.") from error
    except Exception as error:
        if reader.own:
            return None
        raise _unreadable(data, error) from error


def _unreadable(data: bytes, error: Exception) -> Refused:
    claimed = _VERSION.search(data)
    version = claimed[1].decode("ascii") if claimed else ""
    if version and version != sklearn.__version__:
        return Refused(
            "sklearn_version_unsupported",
            f"The file says that scikit-learn {version} wrote it, and scikit-learn "
            f"{sklearn.__version__} cannot read it ({_said(error)}): fit and save the pipeline "
            f"with {sklearn.__version__}, or convert it to ONNX with the version that it has.",
        )
    return Refused("model_damaged", f"The file's content does not fit together ({_said(error)}).")


def _said(error: Exception) -> str:
    return _shown(f"{type(error).__name__}: {error}").rstrip(".")


def _own_code(names: list[str]) -> Refused:
    shown = [name for name in names if not allowed.is_by_value(name)] or names
    some = ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" * (len(shown) > _NAMED))
    are = "is" if len(shown) == 1 else "are"
    return Refused(
        "own_code",
        f"{some} {are} your own code or a library's that is not on this server, and "
        f"uploaded code is not run here. {_WAY_OUT}",
        {"names": names},
    )
