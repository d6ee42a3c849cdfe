"""The categories of pandas columns that LightGBM and XGBoost learned by themselves.

Both want such columns as pandas categories again when they predict.
"""

import json
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np


def frame_categories(step: Any) -> dict[int, list[Any]]:
    """The categories of each categorical column, by its place; none for other estimators."""
    library = type(step).__module__.partition(".")[0]
    if library == "lightgbm" and hasattr(step, "booster_"):
        return _lightgbm(step.booster_)
    if library == "xgboost" and "c" in (step.get_booster().feature_types or ()):
        return _xgboost(step.get_booster())
    return {}


@lru_cache(maxsize=8)
def _lightgbm(booster: Any) -> dict[int, list[Any]]:
    """Without places that fit, none: somebody else named further columns categorical."""
    known = booster.pandas_categorical or []
    text = booster.model_to_string(num_iteration=1)
    line = text.partition("\n[categorical_feature: ")[2].partition("]")[0]
    places = [int(place) for place in line.split(",") if place.strip().isdigit()]
    return dict(zip(sorted(places), known, strict=True)) if len(places) == len(known) else {}


@lru_cache(maxsize=8)
def _xgboost(booster: Any) -> dict[int, list[Any]]:
    learner = json.loads(booster.save_raw(raw_format="json"))["learner"]
    booster = learner["gradient_booster"]
    every = booster.get("gbtree", booster)["model"].get("cats", {}).get("enc", [])
    kinds = learner["feature_types"]
    return {place: _decoded(every[place]) for place, kind in enumerate(kinds) if kind == "c"}


def _decoded(known: dict[str, Any]) -> list[Any]:
    if "offsets" not in known:
        return list(known["values"])
    data = np.array(known["values"], dtype=np.int64).astype(np.uint8).tobytes()
    return [data[start:end].decode() for start, end in pairwise(known["offsets"])]
