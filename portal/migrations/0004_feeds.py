"""The feed of keys, tokens of model servers, and the counter of the feeds' positions."""

import django.db.models.deletion
from django.db import migrations, models

import portal.models
from portal.isolation import as_owner, isolate, relayed

_ORGANISATION = models.ForeignKey(
    editable=False,
    on_delete=django.db.models.deletion.CASCADE,
    related_name="+",
    to="portal.organisation",
)
_EXISTING = """
ALTER TABLE portal_apikey NO FORCE ROW LEVEL SECURITY;
ALTER TABLE portal_organisation NO FORCE ROW LEVEL SECURITY;
INSERT INTO portal_keyevent (id, position, organisation_id, key_id, document, at)
SELECT gen_random_uuid(), row_number() OVER (ORDER BY k.created, k.id), k.organisation_id, k.id,
    jsonb_build_object(
        'key', k.id, 'organisation', o.slug, 'organisation_id', o.id, 'kind', k.kind,
        'digest', k.digest, 'scopes', to_jsonb(k.scopes), 'calls_per_minute', k.calls_per_minute,
        'organisation_calls_per_minute', o.calls_per_minute, 'revoked', k.revoked IS NOT NULL
    ), now()
FROM portal_apikey k JOIN portal_organisation o ON o.id = k.organisation_id;
INSERT INTO portal_counter (name, value)
SELECT 'keys', max(position) FROM portal_keyevent HAVING max(position) IS NOT NULL;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE portal_organisation FORCE ROW LEVEL SECURITY;
ALTER TABLE portal_apikey FORCE ROW LEVEL SECURITY
"""


class Migration(migrations.Migration):
    dependencies = [("portal", "0003_own_code")]

    operations = [
        migrations.CreateModel(
            name="Counter",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("value", models.PositiveBigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="ServerToken",
            fields=[
                (
                    "id",
                    models.CharField(
                        editable=False, max_length=32, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("digest", models.CharField(max_length=64)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("revoked", models.DateTimeField(null=True)),
            ],
            options={"ordering": ["created"]},
        ),
        migrations.CreateModel(
            name="KeyEvent",
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
                (
                    "position",
                    models.PositiveBigIntegerField(
                        help_text="gapless over the installation, from 1", unique=True
                    ),
                ),
                ("document", models.JSONField()),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="portal.apikey",
                    ),
                ),
                ("organisation", _ORGANISATION),
            ],
            options={"ordering": ["position"]},
        ),
        isolate("portal_keyevent", references={"key_id": "portal_apikey"}),
        relayed("portal_keyevent"),
        relayed("portal_organisation"),
        as_owner("portal_keyevent", _EXISTING.strip()),
    ]
