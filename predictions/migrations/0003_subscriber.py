"""What followers of the feed report."""

import django.db.models.deletion
import portal.models
from django.db import migrations, models

from portal.isolation import isolate


class Migration(migrations.Migration):

    dependencies = [
        ('models_hub', '0006_feed'),
        ('portal', '0004_feeds'),
        ('predictions', '0002_walls'),
    ]

    operations = [
        migrations.CreateModel(
            name='Subscriber',
            fields=[
                ('id', models.UUIDField(default=portal.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('subscriber', 'Subscriber'), ('server', 'Server')], max_length=16)),
                ('name', models.CharField(help_text='what it calls itself', max_length=100)),
                ('source', models.CharField(help_text='the id of the key or token it showed', max_length=32)),
                ('berth', models.CharField(blank=True, help_text='its release of berth', max_length=32)),
                ('offset', models.PositiveBigIntegerField(help_text='of the newest line that it went by')),
                ('version', models.PositiveIntegerField(help_text='that the line names', null=True)),
                ('sha256', models.CharField(blank=True, max_length=64)),
                ('status', models.CharField(choices=[('applied', 'Applied'), ('refused', 'Refused'), ('retired', 'Retired')], max_length=16)),
                ('code', models.CharField(blank=True, max_length=64)),
                ('detail', models.TextField(blank=True)),
                ('at', models.DateTimeField(help_text='when it came to that status', null=True)),
                ('seconds', models.FloatField(help_text='that it took to apply it', null=True)),
                ('heard', models.DateTimeField()),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='subscribers', to='models_hub.hostedmodel')),
                ('organisation', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('model', 'kind', 'name'), name='one_subscriber_per_name')],
            },
        ),
        isolate("predictions_subscriber", references={"model_id": "models_hub_hostedmodel"}),
    ]
