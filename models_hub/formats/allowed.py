"""The names that a pickle may refer to: exact (module, name) pairs, and nothing else.

The list was made by pickling honest models of the pinned scikit-learn (see `harvest`). It holds
classes and a few functions that do nothing but compute; there is no prefix and no dotted name,
since one innocent module leads to all others.
"""

import importlib.util
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

Name = tuple[str, str]
WHERE = "allowed_names.txt"
DATA = Path(__file__).with_name(WHERE)

#: Functions that people hand to FunctionTransformer and TransformedTargetRegressor.
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "numpy": (
        "abs", "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt",
        "ceil", "cos", "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1", "fabs", "floor",
        "isfinite", "isnan", "log", "log10", "log1p", "log2", "max", "mean", "median", "min",
        "nan_to_num", "negative", "positive", "rad2deg", "radians", "reciprocal", "rint", "sign",
        "sin", "sinh", "sqrt", "square", "std", "tan", "tanh", "trunc", "var", "clip", "round",
        "ravel", "asarray",
    ),
    "sklearn.utils": ("check_array",),
    "scipy.special": ("boxcox1p", "expit", "inv_boxcox1p", "log1p", "logit"),
}  # fmt: skip
_NUMPY_CORE = "numpy.core."  # numpy 1's
#: Libraries whose functions, called by a file, are enough to run anything.
_RUNNERS = {"pip", "pkg_resources", "setuptools"}
_CLOUDPICKLE = ("cloudpickle", "joblib.externals.cloudpickle")
#: Functions that reconstruct objects; everything else on the list that is no class computes.
_BUILDERS = {
    "_frombuffer", "_mareconstruct", "_new_Index", "_reconstruct", "_reconstructor",
    "__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor", "newObj", "scalar",
}  # fmt: skip


@cache
def _list() -> frozenset[Name]:
    pairs = (line.split(" ") for line in DATA.read_text().splitlines())
    return frozenset((module, name) for module, name in pairs)


def canonical(module: str, name: str) -> Name:
    """Today's name for one of Python 2 (protocols 0 to 2 write those) or of numpy 1."""
    if module == "_loss":  # what older builds of scikit-learn's compiled module call themselves
        return "sklearn._loss._loss", name
    if module.startswith(_NUMPY_CORE):
        return f"numpy._core.{module.removeprefix(_NUMPY_CORE)}", name
    return NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))


def resolve(module: str, name: str) -> Any:
    """The object of that name; raises `KeyError` when it is not on the list."""
    module, name = canonical(module, name)
    if (module, name) not in _list():
        raise KeyError(f"{module}.{name}")
    return getattr(import_module(module), name)


def is_own(module: str) -> bool:
    """Is this somebody's own module (or a library that is not here), not Python's or ours?"""
    if module == "__main__" or module.startswith(_CLOUDPICKLE):
        return True
    top = module.partition(".")[0]
    standard = sys.stdlib_module_names | IMPORT_MAPPING.keys() | _RUNNERS
    if top in standard or not top.isidentifier():
        return False
    return importlib.util.find_spec(top) is None


def is_by_value(module: str) -> bool:
    """Does this name mean code inside the file itself?"""
    return module.startswith(_CLOUDPICKLE)


def is_safe(module: str, name: str) -> bool:
    """May `harvest` put it on the list? A class of a library for models, or a known function."""
    if "." in name:
        return False
    if name.startswith("PyFunc"):  # a distance that calls a function of the file's choice
        return False
    found = getattr(import_module(module), name)
    if module == "builtins":
        return isinstance(found, type) and found not in (type, super, property)
    if isinstance(found, type) or name in _BUILDERS or name.startswith("__pyx_unpickle_"):
        return True
    return _computes(found)


def _computes(found: Callable[..., Any]) -> bool:
    origin = getattr(found, "__module__", None) or "numpy"  # ufuncs have none
    rooms = ("numpy", "scipy", "sklearn.metrics.", "sklearn.feature_selection.")
    named = ("sklearn.cluster._kmeans", "sklearn.utils", "sklearn.kernel")
    return origin.startswith((*rooms, *named))
