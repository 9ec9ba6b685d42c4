"""Fixtures of every test: folders and layers of its own, the clips and images to test with, and the cast.

Units X and Y own one camera each. Of X, alice is unit admin, bob operator and gina guard post; charlie is operator
of Y. root is superuser; pending has not been approved.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axes.utils import reset as reset_log_in_failures
from channels.layers import channel_layers
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker, Settings

from accounts.models import Membership, Role, Unit, User
from cameras.models import Camera
from omil import startup, store
from profiles import gallery
from tests.kept import in_bucket, kept, s3_server

__all__ = ["in_bucket", "kept", "s3_server"]

PASSWORD = "correct horse battery"
DATA = Path(os.environ.get("OMIL_TEST_DATA") or Path(__file__).resolve().parent.parent.parent / "shared" / "data")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of clips, labelled images and weights; OMIL_TEST_DATA names it."""
    if not DATA.is_dir():
        pytest.skip(f"There is no test data at {DATA}; OMIL_TEST_DATA can name another folder.")
    return DATA


@pytest.fixture(scope="session")
def models(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with yolo26n exported, for tests that start the product; made once."""
    folder = tmp_path_factory.mktemp("models")
    root = Path(__file__).resolve().parent.parent
    data = tmp_path_factory.mktemp("prepare")
    (data / "models").symlink_to(folder)
    env = {**os.environ, "OMIL_DATA_DIR": str(data), "OMIL_MODEL": str(test_data / "weights" / "yolo26n.pt")}
    command = [sys.executable, "manage.py", "prepare_models", "--offline"]
    subprocess.run(command, cwd=root, env=env, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """PostgreSQL drops no database to which a thread of the tests, ended or idle, has left a connection."""
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                others = "datname = current_database() AND pid <> pg_backend_pid()"
                cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """SQLite in a file, as in the product: in memory threads share one cache and lock each other's tables."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(settings.DATA_DIR / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _catalogues() -> None:
    """A fresh clone has its translations in source form only."""
    startup.compile_catalogues()


@pytest.fixture(autouse=True)
def isolated(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """No test touches the installation's own state, a Valkey, or hashed static files that were never collected."""
    for name, folder in {
        "SPOOL_DIR": "spool",
        "TRACKS_DIR": "tracks",
        "MODELS_DIR": "models",
        "RUN_DIR": "run",
        "SECRETS_DIR": "secrets",
        "MEDIA_ROOT": "media",
        "RECORDINGS_DIR": "recordings",
        "EXPORTS_DIR": "exports",
        "VIDEOS_DIR": "videos-store",
        "VIDEOS_WORK_DIR": "videos-work",
    }.items():
        setattr(settings, name, tmp_path / "omil" / folder)
    settings.DATA_DIR = tmp_path / "omil"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        **store.backends(None, videos=settings.VIDEOS_DIR, profiles=tmp_path / "omil" / "profiles"),
    }
    # Transactions of tests are rolled back, and the numbers of their faces come again.
    gallery.forget()
    yield
    channel_layers.backends.clear()


@pytest.fixture
def fresh_log_ins(db: None) -> Iterator[None]:
    """Failed log-ins counted by one test do not lock out the next."""
    reset_log_in_failures()
    yield
    reset_log_in_failures()


def _user(name: str, *, is_approved: bool = True) -> User:
    return User.objects.create_user(name, password=PASSWORD, is_approved=is_approved)


def _member(name: str, unit: Unit, role: Role) -> User:
    user = _user(name)
    Membership.objects.create(user=user, unit=unit, role=role)
    return user


@pytest.fixture
def password() -> str:
    """Everyone's."""
    return PASSWORD


@pytest.fixture
def unit_x(db: None) -> Unit:
    return Unit.objects.create(name="Unit X")


@pytest.fixture
def unit_y(db: None) -> Unit:
    return Unit.objects.create(name="Unit Y")


@pytest.fixture
def alice(unit_x: Unit) -> User:
    return _member("alice", unit_x, Role.UNIT_ADMIN)


@pytest.fixture
def bob(unit_x: Unit) -> User:
    return _member("bob", unit_x, Role.OPERATOR)


@pytest.fixture
def gina(unit_x: Unit) -> User:
    return _member("gina", unit_x, Role.GUARD_POST)


@pytest.fixture
def charlie(unit_y: Unit) -> User:
    return _member("charlie", unit_y, Role.OPERATOR)


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def pending(unit_x: Unit) -> User:
    user = _user("pending", is_approved=False)
    user.asked_unit = unit_x
    user.save()
    return user


@pytest.fixture
def camera_x(unit_x: Unit) -> Camera:
    return Camera.objects.create(name="Gate X", unit=unit_x)


@pytest.fixture
def camera_y(unit_y: Unit) -> Camera:
    return Camera.objects.create(name="Gate Y", unit=unit_y)
