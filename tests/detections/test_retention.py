"""Pictures that no visit names any more: they go too."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from cameras.models import Camera
from detections import retention
from detections.models import Visit

pytestmark = pytest.mark.django_db
NOW = time.time()
OLD = NOW - 2 * retention.UNNAMED_S


def pictured(camera: Camera, at: float = OLD) -> Path:
    """The picture of a new visit, written at that time."""
    moment = datetime.fromtimestamp(at, UTC)
    visit = Visit(camera=camera, stream="0" * 32, first_seq=1, state="ended", first_seen=moment, last_seen=moment)
    visit.picture = f"visits/{camera.pk}/{moment:%Y-%m-%d}/{visit.pk}.jpg"
    visit.save()
    path = Path(settings.MEDIA_ROOT) / visit.picture
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"jpeg")
    os.utime(path, (at, at))
    return path


def test_the_pictures_of_a_camera_that_is_gone_go(camera_x: Camera, camera_y: Camera) -> None:
    gone, kept = pictured(camera_x, NOW), pictured(camera_y)
    camera_x.delete()
    retention.sweep(NOW)
    assert not gone.parent.parent.exists()
    assert kept.exists()


def test_a_picture_whose_row_is_gone_goes_unless_it_is_just_being_written(camera_x: Camera) -> None:
    old, new, named = pictured(camera_x), pictured(camera_x, NOW), pictured(camera_x)
    Visit.objects.filter(pk__in=[old.stem, new.stem]).delete()
    (strange := named.with_name("strange.jpg")).write_bytes(b"jpeg")
    os.utime(strange, (OLD, OLD))
    assert retention.sweep(NOW) == 2
    assert [path.exists() for path in (old, new, named, strange)] == [False, True, True, False]


def test_a_picture_that_the_row_of_an_open_visit_does_not_name_yet_stays(camera_x: Camera) -> None:
    """As after a change of masks, when the row is written only as the person goes."""
    path = pictured(camera_x)
    Visit.objects.update(state=Visit.State.PRESENT, picture="")
    assert retention.sweep(NOW) == 0
    assert path.exists()


def test_without_any_picture_there_is_nothing_to_do() -> None:
    assert retention.sweep(NOW) == 0
