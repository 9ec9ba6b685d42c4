"""Live visits: their best pictures are looked at where an admin switched faces on, and nowhere else."""

from __future__ import annotations

import importlib
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from cameras.models import Camera
from detections.models import Visit
from profiles import bell, clock, jobs
from profiles.models import Appearance, FaceRules, LiveLook, Profile

pytestmark = pytest.mark.django_db


def visit(camera: Camera, picture: Path | None, **changes: object) -> Visit:
    now = timezone.now()
    values = {
        "camera": camera,
        "stream": "ab" * 16,
        "first_seq": 1,
        "state": Visit.State.ENDED,
        "first_seen": now - timedelta(seconds=20),
        "last_seen": now,
        "picture": "visits/best.jpg" if picture else "",
    }
    if picture:
        target = Path(settings.MEDIA_ROOT) / "visits" / f"{picture.stem}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(picture.read_bytes())
        values["picture"] = f"visits/{target.name}"
    return Visit.objects.create(**{**values, **changes})


@pytest.fixture
def photo(test_data: Path) -> Path:
    return test_data / "faces" / "query" / "obama1.jpg"


@pytest.fixture
def faces_on(camera_x: Camera, face_models: None) -> Camera:
    FaceRules.objects.create(camera=camera_x, is_on=True)
    return camera_x


def test_the_job_can_be_imported() -> None:
    module, _dot, name = bell.LOOK_JOB.rpartition(".")
    assert getattr(importlib.import_module(module), name) is jobs.look


def test_it_is_off_until_an_admin_switches_it_on(camera_x: Camera, photo: Path, face_models: None) -> None:
    jobs.look(str(visit(camera_x, photo).pk))
    assert not Profile.objects.exists()
    assert not LiveLook.objects.exists()


def test_one_person_who_comes_twice_is_one_profile(faces_on: Camera, photo: Path, test_data: Path) -> None:
    for picture in (photo, test_data / "faces" / "enrol" / "obama" / "obama.jpg"):
        jobs.look(str(visit(faces_on, picture).pk))
    assert Profile.objects.count() == Appearance.objects.count() == 1
    assert set(LiveLook.objects.values_list("outcome", flat=True)) == {"new", "found"}


def test_a_look_that_is_repeated_changes_nothing(faces_on: Camera, photo: Path) -> None:
    seen = visit(faces_on, photo)
    jobs.look(str(seen.pk))
    LiveLook.objects.all().delete()  # As if it was killed before this was written.
    jobs.look(str(seen.pk))
    assert Appearance.objects.get().faces.count() == 1


def test_a_picture_without_a_face_or_without_a_file_is_noted(faces_on: Camera, test_data: Path) -> None:
    empty = visit(faces_on, None)
    jobs.look(str(empty.pk))
    assert LiveLook.objects.get().outcome == "no_face"


def test_the_clock_rings_once_for_what_is_due(
    faces_on: Camera, camera_y: Camera, photo: Path, empty_valkey: str
) -> None:
    ended = visit(faces_on, photo)
    settled = visit(faces_on, photo, state=Visit.State.PRESENT, settled_at=timezone.now())
    visit(faces_on, photo, state=Visit.State.PRESENT)  # It may get a better picture.
    visit(camera_y, photo)  # Faces are off there.
    visit(faces_on, None)
    assert set(clock.due([faces_on.pk], time.time())) == {ended.pk, settled.pk}
    LiveLook.objects.create(visit=settled, outcome="no_face")
    LiveLook.objects.create(visit=ended, outcome="found", was_over=True)
    assert clock.due([faces_on.pk], time.time()) == []
    Visit.objects.filter(pk=settled.pk).update(state=Visit.State.ENDED)
    assert clock.due([faces_on.pk], time.time()) == [settled.pk]
    clock.tick(time.time())
    assert not bell.ring(str(settled.pk))  # It is rung already.
