"""How far the relay has got into Kafka's topics."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workers", "0002_walls")]

    operations = [
        migrations.CreateModel(
            name="RelayState",
            fields=[
                (
                    "topic",
                    models.CharField(max_length=249, primary_key=True, serialize=False),
                ),
                ("topic_id", models.CharField(blank=True, max_length=64)),
                ("position", models.PositiveBigIntegerField(default=0)),
                ("problem", models.TextField(blank=True)),
                ("since", models.DateTimeField(null=True)),
                ("at", models.DateTimeField()),
            ],
        ),
    ]
