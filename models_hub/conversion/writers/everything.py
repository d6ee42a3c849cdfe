"""Importing every module that registers writers."""

from models_hub.conversion.writers import (
    averaging,
    encoding,
    forests,
    functions,
    imputing,
    kernels,
    linear,
    neural,
    projections,
    quantiles,
    scaling,
    splines,
    stacking,
    structure,
)

MODULES = (
    averaging,
    encoding,
    forests,
    functions,
    imputing,
    kernels,
    linear,
    neural,
    projections,
    quantiles,
    scaling,
    splines,
    stacking,
    structure,
)


def register() -> None:
    """Importing this module has registered them all."""
    assert all(MODULES)
