"""The Celery application. Its messages are bells: what there is to do stands in the database."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("berth")
app.config_from_object("workers.config")
app.autodiscover_tasks(["workers"])
