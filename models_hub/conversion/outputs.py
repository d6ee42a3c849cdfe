"""What a fitted scikit-learn estimator answers."""

from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

from berth.signature import Output
from models_hub.formats.refusal import Refused


def output_of(estimator: Any, target: str | None) -> Output:
    """What the estimator answers. Raises `Refused` for what is neither a regression nor a
    classification of one target."""
    name = target or "prediction"
    if is_classifier(estimator):
        return Output(name, "classification", _labels(estimator.classes_))
    if not is_regressor(estimator):
        raise Refused(
            "not_a_predictor",
            f"{type(estimator).__name__} ends in neither a regressor nor a classifier: save the "
            "whole pipeline with its final estimator. Clusters and outliers are not served.",
        )
    return Output(name, "regression")


def _labels(classes: Any) -> tuple[Any, ...]:
    if isinstance(classes, list) or np.ndim(classes) != 1:
        raise Refused("several_targets", "The model predicts several targets; one is supported.")
    labels = tuple(item.item() if isinstance(item, np.generic) else item for item in classes)
    if not all(isinstance(label, str | bool | int | float) for label in labels):
        raise Refused("labels_unusable", "The class labels are neither texts nor numbers.")
    if len(labels) < 2:
        raise Refused("labels_unusable", "The classifier knows only one class.")
    return labels
