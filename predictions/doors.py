"""The doors to live predictions and widgets."""

from uuid import UUID

from portal.access import Caller, Permission
from portal.errors import NotFound
from predictions.models import Prediction, Widget


def get_prediction_for(caller: Caller, prediction_id: UUID) -> Prediction:
    """The record of a live call, some seconds after it at the latest."""
    caller.require(Permission.READ)
    record = Prediction.objects.filter(pk=prediction_id).first()
    if record is None:
        raise NotFound("prediction")
    return record


def get_widget_for(caller: Caller, key_id: str) -> Widget:
    """The widget of a publishable key, with its model."""
    caller.require(Permission.READ)
    widget = Widget.objects.select_related("model", "key").filter(key_id=key_id).first()
    if widget is None:
        raise NotFound("widget")
    return widget
