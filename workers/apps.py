from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        # imported here because models can be imported only once all apps are known
        from models_hub import quarantine
        from workers.celery import app
        from workers.models import Chunk, Job

        app.set_current()  # so that a bell rung anywhere (`portal.turns`) reaches the right broker
        app.set_default()

        quarantine.USES.append(lambda sha256: Job.objects.filter(sha256=sha256).exists())
        quarantine.USES.append(lambda sha256: Chunk.objects.filter(object_sha256=sha256).exists())
