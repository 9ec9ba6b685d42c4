"""Cameras' addresses become encrypted; backwards they become plain again."""

import django.core.validators
from django.db import migrations, models
from django.db.models import TextField, Value
from django.db.models.functions import Cast

import cameras.secrecy
import cameras.sources


def _rewrite(apps, change):
    Camera = apps.get_model("cameras", "Camera")
    stored = Camera.objects.exclude(source="").annotate(stored=Cast("source", TextField()))
    for pk, text in stored.values_list("pk", "stored"):
        Camera.objects.filter(pk=pk).update(source=Cast(Value(change(text), TextField()), TextField()))


def encrypt(apps, schema_editor):
    _rewrite(apps, cameras.secrecy.encrypt)


def decrypt(apps, schema_editor):
    _rewrite(apps, cameras.secrecy.decrypt)


class Migration(migrations.Migration):
    dependencies = [
        ("cameras", "0002_zones_and_tokens"),
    ]

    operations = [
        migrations.AlterField(
            model_name="camera",
            name="source",
            field=cameras.secrecy.EncryptedField(
                blank=True,
                help_text="Empty for a guard post's browser; else where pictures are pulled from, such as rtsp://…",
                max_length=500,
                validators=[cameras.sources.validate_source],
                verbose_name="address",
            ),
        ),
        migrations.RunPython(encrypt, decrypt),
    ]
