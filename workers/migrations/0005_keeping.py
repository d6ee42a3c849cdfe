"""Shelves, leftovers and erasures, and what a job no longer has."""

import django.contrib.postgres.fields
import django.db.models.deletion
import portal.models
from django.db import migrations, models

from portal.isolation import isolate


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0006_keeping'),
        ('workers', '0004_recurring_and_told'),
    ]

    operations = [
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.UUIDField(default=portal.models.new_id, editable=False, primary_key=True, serialize=False)),
                ('key', models.TextField(blank=True)),
                ('digest', models.CharField(max_length=64)),
                ('jobs_left', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None)),
                ('jobs', models.IntegerField(default=0, help_text='jobs in which the key was')),
                ('rows', models.IntegerField(default=0, help_text='rows that went')),
                ('created_by', models.CharField(max_length=254)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('finished', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Leftover',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(max_length=64)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Shelf',
            fields=[
                ('number', models.AutoField(primary_key=True, serialize=False)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='job',
            name='inputs_gone',
            field=models.BooleanField(default=False, help_text='nor are the rows read from it'),
        ),
        migrations.AddField(
            model_name='job',
            name='rows_erased',
            field=models.BigIntegerField(default=0, help_text='by erasures of a key'),
        ),
        migrations.AddField(
            model_name='job',
            name='shelf',
            field=models.IntegerField(default=0, help_text="where its rows are: a Shelf's number, or 0"),
        ),
        migrations.AddField(
            model_name='job',
            name='upload_gone',
            field=models.BooleanField(default=False, help_text='the file itself is not kept'),
        ),
        migrations.AddIndex(
            model_name='chunk',
            index=models.Index(fields=['organisation', 'object_sha256'], name='chunks_of_an_object'),
        ),
        migrations.AddField(
            model_name='erasure',
            name='organisation',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation'),
        ),
        migrations.AddField(
            model_name='leftover',
            name='organisation',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation'),
        ),
        migrations.AddField(
            model_name='shelf',
            name='job',
            field=models.OneToOneField(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workers.job'),
        ),
        migrations.AddField(
            model_name='shelf',
            name='organisation',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.organisation'),
        ),
        isolate("workers_shelf", references={"job_id": "workers_job"}, referable=False),
        isolate("workers_leftover", referable=False),
        isolate("workers_erasure"),
    ]
