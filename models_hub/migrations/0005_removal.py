"""When the files of a refused version were deleted."""

import django.db.models.deletion
from django.db import migrations, models

import portal.models
from portal.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [("models_hub", "0004_sandbox_check"), ("portal", "0002_walls")]

    operations = [
        migrations.CreateModel(
            name="Removal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=portal.models.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("actor", models.CharField(max_length=254)),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="portal.organisation",
                    ),
                ),
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="removal",
                        to="models_hub.version",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        isolate("models_hub_removal", references={"version_id": "models_hub_version"}),
    ]
