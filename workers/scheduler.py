"""The scheduler's Celery application: it rings bells by the clock and knows no task.

So it does without Django's set-up and without everything that the tasks import.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("berth", fixups=[])
app.config_from_object("workers.config")
