"""Versions go out on a feed; the customer's application answers."""

from predictions.architectures.base import Later


class Published(Later):
    name = "published"
    title = "Published as data"
    summary = "Your application follows a feed of versions and swaps them while it runs."
