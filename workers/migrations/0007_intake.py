"""Where a job's file comes from, and how it is read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workers", "0006_shelves")]

    operations = [
        migrations.AddField(
            "job",
            "source",
            models.CharField(
                max_length=500, blank=True, help_text="where the file lies, if it was not sent"
            ),
        ),
        migrations.AddField(
            "job",
            "reading",
            models.JSONField(
                default=dict,
                help_text="how the file is read (reading.Options): as told, then as found",
            ),
        ),
        migrations.AddField(
            "job",
            "mapping",
            models.JSONField(
                default=dict,
                help_text="by an input's name the file's column: as told, then as found",
            ),
        ),
        migrations.AddField(
            "job",
            "retry_of",
            models.UUIDField(
                null=True, help_text="the job some of whose rows these are; it may be gone"
            ),
        ),
    ]
