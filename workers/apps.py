from django.apps import AppConfig
from django.db.models import Max, Q, Sum
from django.db.models.functions import Coalesce


class WorkersConfig(AppConfig):
    name = "workers"

    def ready(self) -> None:
        # imported here because models can be imported only once all apps are known
        from models_hub import quarantine, quota
        from workers.celery import app
        from workers.models import Chunk, Job, Schedule

        app.set_current()  # so that a bell rung anywhere (`portal.turns`) reaches the right broker
        app.set_default()

        def jobs() -> int:
            # What is read alike is stored once: a recurring job scores one file again and again.
            read = ("sha256", "retry_of", "mapping", "reading", "version", "key_column")
            alike = Job.objects.order_by().values(*read)
            upload = Coalesce(Max("size", filter=Q(upload_gone=False)), 0)
            rooms = alike.annotate(room=upload + Max("stored"))
            return rooms.aggregate(total=Sum("room"))["total"] or 0

        def schedules() -> int:
            sources = Schedule.objects.values_list("source", flat=True)
            return sum(source.get("size", 0) for source in sources)

        quota.PARTS.extend([jobs, schedules])
        quarantine.USES.append(
            lambda sha256: Job.objects.filter(sha256=sha256, upload_gone=False).exists()
        )
        quarantine.USES.append(lambda sha256: Chunk.objects.filter(object_sha256=sha256).exists())
        quarantine.USES.append(
            lambda sha256: Schedule.objects.filter(source__sha256=sha256).exists()
        )
