"""Organisations may choose that their uploads bring code."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0002_walls")]

    operations = [
        migrations.AddField(
            "organisation",
            "own_code",
            models.BooleanField(
                default=False, help_text="uploads may bring classes and functions of their own"
            ),
        ),
    ]
