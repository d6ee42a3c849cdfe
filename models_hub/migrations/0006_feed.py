"""Events become the model feed: a position over the installation, and a signed document."""

from django.db import migrations, models

from portal.isolation import as_owner, relayed

_NUMBERED = """
UPDATE models_hub_modelevent e SET position = n.position
FROM (SELECT id, row_number() OVER (ORDER BY at, id) AS position FROM models_hub_modelevent) n
WHERE n.id = e.id;
INSERT INTO portal_counter (name, value)
SELECT 'models', max(position) FROM models_hub_modelevent HAVING max(position) IS NOT NULL
"""
_TYPES = ["promoted", "rolled_back", "withdrawn", "activated", "retired"]
_POSITION = "gapless over the installation, from 1"


class Migration(migrations.Migration):
    dependencies = [("models_hub", "0005_removal"), ("portal", "0004_feeds")]

    operations = [
        migrations.AddField(
            "modelevent",
            "position",
            models.PositiveBigIntegerField(null=True, unique=True, help_text=_POSITION),
        ),
        as_owner("models_hub_modelevent", _NUMBERED.strip()),
        migrations.AlterField(
            "modelevent",
            "position",
            models.PositiveBigIntegerField(unique=True, help_text=_POSITION),
        ),
        migrations.AddField("modelevent", "document", models.JSONField(null=True)),
        migrations.AlterField(
            "modelevent",
            "type",
            models.CharField(
                choices=[(name, name.replace("_", " ").title()) for name in _TYPES], max_length=16
            ),
        ),
        migrations.AlterField("modelevent", "at", models.DateTimeField()),
        migrations.AlterField(
            "modelevent",
            "sha256",
            models.CharField(blank=True, help_text="of the live Bundle", max_length=64),
        ),
        migrations.AlterField(
            "modelevent",
            "architecture",
            models.CharField(blank=True, help_text="what it was about", max_length=16),
        ),
        migrations.AddIndex(
            "modelevent", models.Index(fields=["sha256"], name="events_of_a_bundle")
        ),
        relayed("models_hub_modelevent"),
    ]
