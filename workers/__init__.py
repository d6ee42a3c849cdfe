"""Using a model later. Importing the package makes its Celery application the current one, so
that a bell rung anywhere (``portal.turns``) reaches the right broker."""

from workers.celery import app

__all__ = ["app"]
