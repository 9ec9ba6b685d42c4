"""Cameras' addresses: encrypted in the database, plain in Python, and the migration there and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.core import serializers
from django.core.exceptions import FieldError, ValidationError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import Settings

from accounts.models import Unit
from cameras.models import Camera, Kind
from cameras.secrecy import UNREADABLE

SOURCE = "rtsp://user:hunter2@10.0.0.9/1"


def stored(camera_id: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT source FROM cameras_camera WHERE id = %s", [camera_id])
        return str(cursor.fetchone()[0])


@pytest.fixture
def pulled(unit_x: Unit) -> Camera:
    return Camera.objects.create(name="Pulled", unit=unit_x, source=SOURCE)


def test_the_database_holds_no_password(pulled: Camera) -> None:
    assert stored(pulled.pk).startswith("fernet:")
    assert "hunter2" not in stored(pulled.pk)
    assert Camera.objects.get(pk=pulled.pk).source == SOURCE
    assert pulled.kind == Kind.PULL


def test_a_camera_without_an_address_holds_an_empty_text(camera_x: Camera) -> None:
    assert stored(camera_x.pk) == ""
    assert Camera.objects.filter(source="").get() == camera_x


def test_what_is_encrypted_cannot_be_searched(pulled: Camera) -> None:
    with pytest.raises(FieldError):
        Camera.objects.filter(**{"source__contains": "hunter2"}).exists()


def test_a_dump_holds_no_password_and_can_be_loaded(pulled: Camera) -> None:
    dump = serializers.serialize("json", [pulled])
    assert "hunter2" not in dump
    pulled.delete()
    next(iter(serializers.deserialize("json", dump))).save()
    assert Camera.objects.get().source == SOURCE


def test_nobody_writes_what_is_encrypted_himself(pulled: Camera) -> None:
    pulled.source = stored(pulled.pk)
    with pytest.raises(ValidationError):
        pulled.full_clean()


def test_another_key_loses_the_address_and_not_the_camera(pulled: Camera, settings: Settings) -> None:
    settings.SOURCE_KEY = "another"
    found = Camera.objects.get(pk=pulled.pk)
    assert (found.source, found.kind) == (UNREADABLE, Kind.PULL)
    found.is_enabled = False
    found.save(update_fields=["is_enabled"])
    assert "hunter2" not in found.source_redacted


def test_a_long_address_is_refused_by_its_own_length(unit_x: Unit) -> None:
    camera = Camera(name="Long", unit=unit_x, source="http://camera/" + "x" * 487)
    with pytest.raises(ValidationError) as refusal:
        camera.full_clean()
    assert set(refusal.value.error_dict) == {"source"}


@pytest.mark.django_db(transaction=True)
def test_the_migration_encrypts_and_its_reverse_makes_plain(migrated_to: Callable[[str], None]) -> None:
    unit = Unit.objects.create(name="Unit X")
    camera = Camera.objects.create(name="Pulled", unit=unit, source=SOURCE)
    browser = Camera.objects.create(name="Browser", unit=unit)
    migrated_to("0002_zones_and_tokens")
    assert (stored(camera.pk), stored(browser.pk)) == (SOURCE, "")
    migrated_to("0003_encrypted_source")
    assert stored(camera.pk).startswith("fernet:")
    assert stored(browser.pk) == ""


@pytest.fixture
def migrated_to() -> Iterator[Callable[[str], None]]:
    """Afterwards every app is where it was."""

    def migrate(*targets: tuple[str, str]) -> None:
        MigrationExecutor(connection).migrate(list(targets))

    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    yield lambda name: migrate(("cameras", name))
    migrate(*leaves)
    assert Camera.objects.exclude(source="").get().source == SOURCE
