"""Row-level security, and versions that never change once they are sealed or refused."""

from django.db import migrations

from portal.isolation import frozen, isolate, own_references


class Migration(migrations.Migration):
    dependencies = [("models_hub", "0002_relations"), ("portal", "0002_walls")]

    operations = [
        isolate("models_hub_hostedmodel"),
        isolate("models_hub_version", references={"model_id": "models_hub_hostedmodel"}),
        own_references("models_hub_hostedmodel", {"live_id": "models_hub_version"}),
        isolate("models_hub_modelevent", references={"model_id": "models_hub_hostedmodel"}),
        isolate("models_hub_deployment", references={"model_id": "models_hub_hostedmodel"}),
        frozen(
            "models_hub_version",
            "OLD.status <> 'inspecting' AND NEW IS DISTINCT FROM OLD",
            "A version never changes once it is sealed or refused.",
        ),
    ]
