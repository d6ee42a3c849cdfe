"""The Celery application. Its messages are bells: what there is to do stands in the database."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("berth")
app.config_from_object("workers.config")
app.autodiscover_tasks(["workers"])


@worker_ready.connect
def prove_sandbox(sender: Any, **_: object) -> None:
    """Before the first upload comes, not at it: web processes go by what the probe finds."""
    if "control" in sender.app.amqp.queues.consume_from:
        sender.app.send_task("workers.probe", retry=False, expires=60)
