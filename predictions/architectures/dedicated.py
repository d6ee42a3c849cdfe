"""Separate model servers answer, speaking the Open Inference Protocol."""

from predictions.architectures.base import Later


class Dedicated(Later):
    name = "dedicated"
    title = "Dedicated model API"
    summary = "Model servers of their own, scaled on their own, speak the Open Inference Protocol."
