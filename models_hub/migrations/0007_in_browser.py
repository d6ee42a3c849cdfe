"""Whether a widget lets the applicant's own device answer."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("models_hub", "0006_feed")]

    operations = [
        migrations.AddField(
            model_name="deployment",
            name="in_browser",
            field=models.BooleanField(
                default=False, help_text="may widgets give the model to the applicant's browser?"
            ),
        ),
        migrations.AddConstraint(
            model_name="deployment",
            constraint=models.CheckConstraint(
                condition=models.Q(("in_browser", False), ("architecture", "embedded"), _connector="OR"),
                name="in_browser_is_embedded",
            ),
        ),
    ]
