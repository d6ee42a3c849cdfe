"""What an architecture of deployment answers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from models_hub.models import Deployment
from predictions.snippets import Snippet


@dataclass(frozen=True, slots=True)
class Status:
    """How a deployment stands: a word for the chip and a sentence that explains it."""

    word: str
    sentence: str
    is_good: bool = True


class Architecture(ABC):
    """One way in which a model can be deployed. ``available`` says whether this installation
    offers it at all; where it does not, ``why_not`` says so honestly."""

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    available: ClassVar[bool] = True
    why_not: ClassVar[str] = ""

    def activate(self, deployment: Deployment) -> None:  # noqa: B027  # most prepare nothing
        """Prepare whatever must stand before calls come. Runs in the deed's transaction."""

    def retire(self, deployment: Deployment) -> None:  # noqa: B027
        """Undo what ``activate`` prepared. Runs in the deed's transaction."""

    @abstractmethod
    def status(self, deployment: Deployment) -> Status:
        """How the deployment stands now."""

    @abstractmethod
    def usage(self, deployment: Deployment, address: str) -> list[Snippet]:
        """How to use it; ``address`` is the portal's own, without a slash at the end."""


class Later(Architecture):
    """An architecture that this release lists and does not have."""

    available = False
    why_not = "Not available on this installation yet."

    def status(self, deployment: Deployment) -> Status:
        return Status("Not available", self.why_not, is_good=False)

    def usage(self, deployment: Deployment, address: str) -> list[Snippet]:
        return []
