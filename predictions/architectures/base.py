"""What an architecture of deployment answers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from models_hub.models import Deployment
from predictions.snippets import Snippet
from predictions.subscribers import Follower


@dataclass(frozen=True, slots=True)
class Status:
    """How a deployment stands: a word for the chip and a sentence that explains it."""

    word: str
    sentence: str
    is_good: bool = True


class Architecture(ABC):
    """One way in which a model can be deployed."""

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]

    def why_not(self, deployment: Deployment) -> str:
        """Why the model's live version can't run there; "" where it can."""
        return ""

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

    def followers(self, deployment: Deployment) -> list[Follower] | None:
        """Who follows the feed for it; None where nobody has to."""
        return None
