"""What a pickle gets in place of three names that could do more than a fitted model needs."""

import functools
from typing import Any

from sklearn.utils import check_array

from models_hub.formats.allowed import Name
from models_hub.formats.refusal import Refused


def latin1(text: str, encoding: str = "latin1") -> bytes:
    """`_codecs.encode`, by which protocols 0 to 2 write bytes; the real one finds codecs by any
    name."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes in the unusual encoding {encoding[:20]!r}")
    return text.encode("latin1")


class Partial(functools.partial[Any]):
    """`functools.partial`, but of `check_array` alone: HistGradientBoosting holds one where it has
    categories."""

    def __new__(cls, function: Any, *arguments: Any, **keywords: Any) -> "Partial":
        return super().__new__(cls, _only(function), *arguments, **keywords)

    def __setstate__(self, state: Any) -> None:
        _only(state[0])
        super().__setstate__(state)  # type: ignore[misc]  # typeshed does not know it


def _only(function: Any) -> Any:
    if function is not check_array:
        raise Refused(
            "pickle_forbidden_global",
            "The file refers to functools.partial, and what it would call is not known here. "
            "Use a FunctionTransformer with kw_args, or convert the pipeline to ONNX.",
            {"names": ["functools.partial"]},
        )
    return function


STAND_INS: dict[Name, Any] = {("_codecs", "encode"): latin1, ("functools", "partial"): Partial}


class Foreign:
    """Stands where a name of somebody's own was, so that the rest is read for its names.

    Takes whatever an unpickler does to a class, a function or an object, and does nothing.
    """

    def __new__(cls, *_: Any, **__: Any) -> "Foreign":
        return super().__new__(cls)

    def __call__(self, *_: Any, **__: Any) -> "Foreign":
        return self

    def __setstate__(self, _: Any) -> None: ...

    def __setitem__(self, _: Any, __: Any) -> None: ...

    def append(self, _: Any) -> None: ...

    def extend(self, _: Any) -> None: ...

    def add(self, _: Any) -> None: ...
