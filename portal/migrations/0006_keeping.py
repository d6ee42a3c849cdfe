"""What organisations keep, and how long."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0005_turns_by_the_clock'),
    ]

    operations = [
        migrations.AddField(
            model_name='organisation',
            name='inputs_days',
            field=models.PositiveIntegerField(help_text="a job's rows; None: no end", null=True),
        ),
        migrations.AddField(
            model_name='organisation',
            name='jobs_days',
            field=models.PositiveIntegerField(help_text='jobs and their predictions', null=True),
        ),
        migrations.AddField(
            model_name='organisation',
            name='keep_inputs',
            field=models.BooleanField(default=True, help_text="the rows of a job's file stay beside their predictions"),
        ),
        migrations.AddField(
            model_name='organisation',
            name='live_days',
            field=models.PositiveIntegerField(help_text='records of live predictions', null=True),
        ),
        migrations.AlterField(
            model_name='turn',
            name='kind',
            field=models.CharField(choices=[('inspect', 'Inspect'), ('score', 'Score'), ('recur', 'Recur'), ('deliver', 'Deliver'), ('mail', 'Mail'), ('purge', 'Purge')], max_length=16),
        ),
    ]
