"""Recurring jobs, webhooks and mail."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import portal.models
from django.conf import settings
from django.db import migrations, models

from portal.isolation import isolate


class Migration(migrations.Migration):

    dependencies = [
        ('models_hub', '0007_in_browser'),
        ('portal', '0005_turns_by_the_clock'),
        ('workers', '0003_relay_state'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Endpoint',
            fields=[
                ('id', models.UUIDField(default=portal.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('url', models.CharField(max_length=500)),
                ('events', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('job.succeeded', 'A job succeeded'), ('job.partial', 'A job ended with rows that could not be scored'), ('job.failed', 'A job failed'), ('job.cancelled', 'A job was cancelled')], max_length=32), size=None)),
                ('serial', models.PositiveIntegerField(default=1)),
                ('rotated', models.DateTimeField(help_text='when the serial before this one ended', null=True)),
                ('failing_since', models.DateTimeField(null=True)),
                ('disabled', models.DateTimeField(null=True)),
                ('why_disabled', models.TextField(blank=True)),
                ('created_by', models.CharField(max_length=254)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('organisation', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.UUIDField(default=portal.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('source', models.JSONField(help_text='see workers.recurring.sources')),
                ('key_column', models.CharField(blank=True, max_length=200)),
                ('every', models.CharField(choices=[('day', 'day'), ('week', 'week'), ('month', 'month')], max_length=8)),
                ('at', models.TimeField()),
                ('weekday', models.PositiveSmallIntegerField(default=0, help_text='0 is Monday')),
                ('day', models.PositiveSmallIntegerField(default=1, help_text='of the month, or its last one')),
                ('zone', models.CharField(max_length=64)),
                ('mail', models.BooleanField(default=True, help_text='tell who made it when a run ends')),
                ('paused', models.BooleanField(default=False)),
                ('next_slot', models.DateTimeField(help_text='null while it is paused', null=True)),
                ('created_by', models.CharField(max_length=254)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='models_hub.hostedmodel')),
                ('organisation', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation')),
                ('version', models.ForeignKey(help_text='null: the one that is live at the time', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='models_hub.version')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.UUIDField(default=portal.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('slot', models.DateTimeField()),
                ('state', models.CharField(choices=[('started', 'Started'), ('refused', 'Not started'), ('skipped', 'Skipped')], max_length=16)),
                ('detail', models.TextField(blank=True, help_text='why it did not start')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('job', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='runs', to='workers.job')),
                ('organisation', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation')),
                ('schedule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='workers.schedule')),
            ],
            options={
                'ordering': ['-slot'],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=portal.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('pending', 'On its way'), ('sent', 'Delivered'), ('dead', 'Given up')], default='pending', max_length=16)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('spent', models.PositiveSmallIntegerField(default=0, help_text='tries made before somebody had it sent again')),
                ('due', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('error', models.TextField(blank=True, help_text='of the last try')),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('finished', models.DateTimeField(null=True)),
                ('event', models.CharField(max_length=32)),
                ('body', models.TextField()),
                ('tries', models.JSONField(default=list, help_text='at, status, milliseconds and error of each')),
                ('job', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workers.job')),
                ('organisation', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation')),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='workers.endpoint')),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'indexes': [models.Index(condition=models.Q(('state', 'pending')), fields=['organisation', 'due'], name='delivery_due')],
            },
        ),
        migrations.CreateModel(
            name='Letter',
            fields=[
                ('id', models.UUIDField(default=portal.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('pending', 'On its way'), ('sent', 'Delivered'), ('dead', 'Given up')], default='pending', max_length=16)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('spent', models.PositiveSmallIntegerField(default=0, help_text='tries made before somebody had it sent again')),
                ('due', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('error', models.TextField(blank=True, help_text='of the last try')),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('finished', models.DateTimeField(null=True)),
                ('template', models.CharField(max_length=32)),
                ('facts', models.JSONField()),
                ('organisation', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'abstract': False,
                'indexes': [models.Index(condition=models.Q(('state', 'pending')), fields=['organisation', 'due'], name='letter_due')],
            },
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('next_slot', None), ('paused', True)), models.Q(('next_slot__isnull', False), ('paused', False)), _connector='OR'), name='paused_has_no_next_slot'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.UniqueConstraint(fields=('schedule', 'slot'), name='one_run_per_slot'),
        ),
        isolate(
            "workers_schedule",
            references={"model_id": "models_hub_hostedmodel", "version_id": "models_hub_version"},
        ),
        isolate(
            "workers_run", references={"schedule_id": "workers_schedule", "job_id": "workers_job"}
        ),
        isolate("workers_endpoint"),
        isolate(
            "workers_delivery",
            references={"endpoint_id": "workers_endpoint", "job_id": "workers_job"},
        ),
        isolate("workers_letter"),
    ]
