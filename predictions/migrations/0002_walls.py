"""Row-level security; what was asked and answered is packed fast rather than tight."""

from django.db import migrations

from portal.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [("predictions", "0001_initial"), ("models_hub", "0003_walls")]

    operations = [
        isolate("predictions_prediction", referable=False),
        # A thousand rows are 100 KB, and the default packing of that costs more than predicting
        # them. Not every PostgreSQL is built with lz4.
        migrations.RunSQL(
            """
            DO $$ BEGIN
                ALTER TABLE predictions_prediction
                    ALTER COLUMN request SET COMPRESSION lz4,
                    ALTER COLUMN response SET COMPRESSION lz4;
            EXCEPTION WHEN feature_not_supported THEN NULL;
            END $$
            """,
            migrations.RunSQL.noop,
        ),
        isolate(
            "predictions_widget",
            references={"key_id": "portal_apikey", "model_id": "models_hub_hostedmodel"},
        ),
    ]
