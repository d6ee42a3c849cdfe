"""Row-level security."""

from django.db import migrations

from portal.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [("workers", "0001_initial"), ("models_hub", "0003_walls")]

    operations = [
        isolate("workers_job", references={"version_id": "models_hub_version"}),
        isolate("workers_chunk", references={"job_id": "workers_job"}),
        isolate("workers_jobrow", references={"job_id": "workers_job"}, referable=False),
    ]
