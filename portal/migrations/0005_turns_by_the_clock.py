"""Work that waits for its hour, and whether a person wants mail about jobs."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("portal", "0004_feeds")]

    operations = [
        migrations.AlterField(
            model_name="turn",
            name="kind",
            field=models.CharField(
                choices=[
                    ("inspect", "Inspect"),
                    ("score", "Score"),
                    ("recur", "Recur"),
                    ("deliver", "Deliver"),
                    ("mail", "Mail"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="turn",
            name="due",
            field=models.DateTimeField(db_default=Now(), help_text="nobody is rung for before"),
        ),
        migrations.AddField(
            model_name="user",
            name="job_mails",
            field=models.BooleanField(
                default=True, help_text="is told when a job of theirs ended"
            ),
        ),
    ]
