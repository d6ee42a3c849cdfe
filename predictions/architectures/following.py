"""What published and dedicated share: others follow the feed, and report what they apply."""

from typing import ClassVar

from berth.bundle import NATIVE
from models_hub.events import runtime_of
from models_hub.models import Deployment
from predictions.architectures.base import Architecture, Status
from predictions.subscribers import Follower, followers_of


class Following(Architecture):
    """An architecture in which somebody else answers, with what the feed brings."""

    kind: ClassVar[str]
    nobody: ClassVar[str]
    off: ClassVar[str]

    def why_not(self, deployment: Deployment) -> str:
        live = deployment.model.live
        if live is None or runtime_of(live) != NATIVE:
            return ""
        return f"Version {live.number} runs natively, inside this portal’s sandbox alone."

    def followers(self, deployment: Deployment) -> list[Follower]:
        return followers_of(deployment.model, self.kind)

    def status(self, deployment: Deployment) -> Status:
        if not deployment.is_active:
            return Status("Off", self.off, is_good=False)
        live = deployment.model.live
        if live is None:
            return Status("Waiting", "It goes out once a version is promoted.", is_good=False)
        heard = [f for f in self.followers(deployment) if not f.is_stale]
        if not heard:
            return Status("Nobody yet", self.nobody, is_good=False)
        return _standing(live.number, heard)


def _standing(number: int, heard: list[Follower]) -> Status:
    there = [f for f in heard if f.row.version == number and f.row.status == "applied"]
    refused = [f for f in heard if f.row.status == "refused"]
    told = f"Version {number} answers at {len(there)} of {len(heard)} that report."
    if refused:
        told += f" {len(refused)} refused it."
        return Status("Refused", told, is_good=False)
    if len(there) < len(heard):
        return Status("Going out", told, is_good=False)
    return Status("Active", told)
