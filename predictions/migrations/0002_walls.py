"""Row-level security."""

from django.db import migrations

from portal.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [("predictions", "0001_initial"), ("models_hub", "0003_walls")]

    operations = [
        isolate("predictions_prediction", referable=False),
        isolate(
            "predictions_widget",
            references={"key_id": "portal_apikey", "model_id": "models_hub_hostedmodel"},
        ),
    ]
