"""Importing every module that registers writers."""

from models_hub.conversion.writers import (
    averaging,
    catboosted,
    donors,
    encoding,
    forests,
    functions,
    imputing,
    kernels,
    lightgbms,
    linear,
    neighbours,
    neural,
    projections,
    quantiles,
    scaling,
    splines,
    stacking,
    structure,
    xgboosted,
)

MODULES = (
    averaging,
    catboosted,
    donors,
    encoding,
    forests,
    functions,
    imputing,
    kernels,
    lightgbms,
    linear,
    neighbours,
    neural,
    projections,
    quantiles,
    scaling,
    splines,
    stacking,
    structure,
    xgboosted,
)


def register() -> None:
    """Importing this module has registered them all."""
    assert all(MODULES)
