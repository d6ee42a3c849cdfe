"""The portal's own web process answers."""

from models_hub.models import Deployment
from predictions.architectures.base import Architecture, Status
from predictions.snippets import Snippet, example_row, predict_snippets


class Embedded(Architecture):
    name = "embedded"
    title = "Embedded"
    summary = "This portal answers each call in its own web process."

    def status(self, deployment: Deployment) -> Status:
        if not deployment.is_active:
            return Status("Off", "Calls are answered with an error.", is_good=False)
        live = deployment.model.live
        if live is None:
            return Status("Waiting", "It answers once a version is promoted.", is_good=False)
        return Status("Active", f"Version {live.number} answers.")

    def usage(self, deployment: Deployment, address: str) -> list[Snippet]:
        model = deployment.model
        row = example_row(model.live.signature if model.live else None)
        return predict_snippets(address, model.slug, {"instances": [row]})
