from django.apps import AppConfig
from django.db.models import F, Sum


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        # imported here because models can be imported only once all apps are known
        from models_hub import quarantine, quota
        from workers.celery import app
        from workers.models import Chunk, Job

        app.set_current()  # so that a bell rung anywhere (`portal.turns`) reaches the right broker
        app.set_default()

        def jobs() -> int:
            return Job.objects.aggregate(total=Sum(F("size") + F("stored")))["total"] or 0

        quota.PARTS.append(jobs)
        quarantine.USES.append(lambda sha256: Job.objects.filter(sha256=sha256).exists())
        quarantine.USES.append(lambda sha256: Chunk.objects.filter(object_sha256=sha256).exists())
