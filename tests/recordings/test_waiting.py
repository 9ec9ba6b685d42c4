"""Takes whose storage is away wait, but not without end."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django import Settings

from cameras.models import Camera
from recordings import storage, waiting
from recordings.models import Recording
from recordings.storage import Storage
from tests.recordings.shelf import make_take

pytestmark = pytest.mark.django_db
NOW = 1_800_000_000.0
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "state", lambda: Storage("missing"))


def states() -> list[str]:
    return list(Recording.objects.order_by("start").values_list("state", flat=True))


def test_the_oldest_are_dropped_above_the_limit_and_said(
    camera_x: Camera, camera_y: Camera, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RECORD_WAITING_BYTES = 25_000  # Descriptions take some of it.
    takes = [make_take(camera, start=NOW + n, size=10_000) for n, camera in enumerate([camera_x, camera_y, camera_x])]
    assert waiting.fit(NOW) == 1
    assert [folder.path.exists() for folder in takes] == [False, True, True]
    assert states() == ["failed", "encoding", "encoding"]
    assert f"camera {camera_x.pk}: take {takes[0].id} waited" in caplog.text
    assert waiting.fit(NOW) == 0


def test_one_that_is_still_open_or_just_being_encoded_stays(camera_x: Camera, settings: Settings) -> None:
    settings.RECORD_WAITING_BYTES = 0
    is_open = make_take(camera_x, start=NOW, size=10, is_over=False)
    encoded, free = make_take(camera_x, start=NOW + 1, size=10), make_take(camera_x, start=NOW + 2, size=10)
    lock = os.open(encoded.path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert waiting.fit(NOW) == 1
    assert [folder.path.exists() for folder in (is_open, encoded, free)] == [True, True, False]
    os.close(lock)
    assert waiting.fit(NOW) == 1


@pytest.mark.parametrize(("problem", "dropped"), [("missing", 1), ("full", 1), ("", 0)])
def test_they_go_before_frames_are_refused_for_want_of_space(
    camera_x: Camera, settings: Settings, monkeypatch: pytest.MonkeyPatch, problem: storage.Problem, dropped: int
) -> None:
    """Where the storage is well they are clips in a moment: then there is no reason to lose any."""
    settings.FREE_SPACE_BYTES = 100_000
    monkeypatch.setattr(storage, "state", lambda: Storage(problem))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 119_000))
    make_take(camera_x, start=NOW, size=10_000)
    make_take(camera_x, start=NOW + 1, size=10_000)
    assert waiting.fit(NOW) == dropped


def test_what_a_killed_removal_left_goes_after_an_hour(camera_x: Camera) -> None:
    folder = make_take(camera_x, start=NOW, size=10)
    (folder.path / "take.json").unlink()
    made = folder.path.stat().st_mtime
    waiting.fit(made + 3_500)
    assert folder.path.exists()
    waiting.fit(made + 3_700)
    assert not folder.path.exists()


def test_one_that_cannot_be_read_does_not_keep_others_from_being_counted(
    camera_x: Camera, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RECORD_WAITING_BYTES = 0
    broken, good = make_take(camera_x, start=NOW, size=10), make_take(camera_x, start=NOW, size=10)
    (broken.path / "take.json").write_text("{")
    assert waiting.fit(NOW) == 1
    assert not good.path.exists()
    assert broken.id in caplog.text


def test_a_node_without_cameras_has_nothing_to_do() -> None:
    Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
    assert waiting.fit(NOW) == 0


def test_what_somebody_keeps_is_never_dropped(camera_x: Camera, settings: Settings) -> None:
    settings.RECORD_WAITING_BYTES = 0
    kept, other = (make_take(camera_x, start=NOW + n, size=10) for n in range(2))
    Recording.objects.filter(pk=kept.id).update(is_kept=True)
    assert waiting.fit(NOW) == 1
    assert [kept.path.exists(), other.path.exists()] == [True, False]
