"""What workers find out about their sandbox, for web processes to go by."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("models_hub", "0003_walls"),
    ]

    operations = [
        migrations.CreateModel(
            name="SandboxCheck",
            fields=[
                ("host", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("form", models.CharField(max_length=16)),
                ("holds", models.BooleanField()),
                ("reason", models.TextField(blank=True)),
                ("walls", models.JSONField(default=dict)),
                ("at", models.DateTimeField()),
            ],
        ),
    ]
