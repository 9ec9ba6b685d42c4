"""Films of a time range: what goes into them, that they play, and that nobody else gets them."""

from __future__ import annotations

import importlib
from datetime import timedelta
from pathlib import Path

import av
import pytest
from django.conf import settings as conf
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership, User
from cameras.models import Camera
from recordings import export
from recordings.models import AuditEntry, Export, Recording
from tests.recordings.footage import NOON, make_clip

pytestmark = pytest.mark.django_db


def make(user: User, camera: Camera, since_s: float, until_s: float) -> Export:
    start, end = (NOON + timedelta(seconds=at) for at in (since_s, until_s))
    made = Export.objects.create(user=user, camera=camera, start=start, end=end)
    export.make(str(made.pk))
    made.refresh_from_db()
    return made


def times_of(made: Export) -> list[float]:
    """Of every picture of the film, which has to be decoded for that."""
    with av.open(str(Path(conf.EXPORTS_DIR) / made.path)) as film:
        return [float(frame.time or 0) for frame in film.decode(video=0)]


def test_the_job_is_there() -> None:
    module, _dot, name = export.JOB.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_a_film_goes_over_several_clips(bob: User, camera_x: Camera) -> None:
    make_clip(camera_x)
    make_clip(camera_x, NOON + timedelta(seconds=100))
    made = make(bob, camera_x, 4, 106)
    assert (made.state, made.percent, made.error) == ("ready", 100, "")
    times = times_of(made)
    # Six seconds of the first (a key picture stands at 4) and six of the second, with nothing between them.
    assert times == sorted(times)
    assert times[-1] == pytest.approx(12, abs=0.5)
    assert len(times) == pytest.approx(61, abs=2)


@pytest.mark.django_db(transaction=True)
def test_each_fetching_of_a_film_is_noted_and_its_pieces_once(client: Client, bob: User, camera_x: Camera) -> None:
    make_clip(camera_x)
    made = make(bob, camera_x, 0, 5)
    client.force_login(bob)
    for asked in ({}, {}, {"range": "bytes=50-"}, {"range": "bytes=-999999"}):
        client.get(reverse("recordings:export-file", args=[made.pk]), headers=asked).close()
    noted = AuditEntry.objects.values_list("user_name", "action", "camera_name", "detail")
    assert list(noted) == [("bob", "exported", camera_x.name, str(made))] * 2


def test_where_clips_overlap_the_later_one_goes_on(bob: User, camera_x: Camera) -> None:
    make_clip(camera_x)
    make_clip(camera_x, NOON + timedelta(seconds=6))
    assert times_of(make(bob, camera_x, 0, 60))[-1] == pytest.approx(16, abs=0.3)


def test_clips_of_different_sizes_become_one_film(bob: User, camera_x: Camera) -> None:
    make_clip(camera_x, times=[number / 5 for number in range(11)])
    make_clip(camera_x, NOON + timedelta(seconds=60), [number / 5 for number in range(11)], size=(128, 128))
    made = make(bob, camera_x, 0, 100)
    times = times_of(made)
    assert times == sorted(times)
    assert len(times) == 22
    with av.open(str(Path(conf.EXPORTS_DIR) / made.path)) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (160, 96)


def test_where_nothing_was_recorded_it_says_so(bob: User, camera_x: Camera, camera_y: Camera) -> None:
    make_clip(camera_y)
    Recording.objects.create(
        camera=camera_x, state=Recording.State.RECORDING, start=NOON, end=NOON + timedelta(seconds=9)
    )
    made = make(bob, camera_x, 0, 100)
    assert (made.state, made.error) == ("failed", "nothing")
    assert list(Path(conf.EXPORTS_DIR).iterdir()) == []


def test_it_is_made_once(bob: User, camera_x: Camera) -> None:
    make_clip(camera_x)
    made = make(bob, camera_x, 0, 5)
    file = Path(conf.EXPORTS_DIR) / made.path
    before = file.stat().st_mtime_ns
    export.make(str(made.pk))
    assert file.stat().st_mtime_ns == before
    export.make("00000000-0000-0000-0000-000000000000")


def test_an_order_becomes_a_film_and_goes_after_a_day(
    client: Client, bob: User, camera_x: Camera, empty_valkey: str
) -> None:
    make_clip(camera_x)
    client.force_login(bob)
    wanted = {"camera": camera_x.slug, "start": "2026-03-04T12:00:00", "end": "2026-03-04T12:00:05"}
    response = client.post(reverse("recordings:export"), wanted)
    made = Export.objects.get()
    assert response["Location"] == reverse("recordings:export-page", args=[made.pk])
    assert b'http-equiv="refresh"' in client.get(response["Location"]).content
    export.make(str(made.pk))
    assert b'data-export-state="ready"' in client.get(response["Location"]).content
    file = client.get(reverse("recordings:export-file", args=[made.pk]))
    assert file["Content-Disposition"] == 'attachment; filename="gate-x-20260304-120000.mp4"'
    assert b"ftyp" in file.getvalue()[:16]
    assert export.expire(timezone.now() + timedelta(days=2)) == 1
    assert list(Path(conf.EXPORTS_DIR).iterdir()) == []


def test_who_lost_the_camera_lost_its_films(client: Client, bob: User, camera_x: Camera) -> None:
    make_clip(camera_x)
    made = make(bob, camera_x, 0, 5)
    client.force_login(bob)
    Membership.objects.filter(user=bob).update(role="guard_post")
    assert client.get(reverse("recordings:export-file", args=[made.pk])).status_code == 404


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-04T12:00", "2026-03-04T11:00"),
        ("2026-03-04T12:00", "2026-03-06T12:00"),
        ("x", ""),
        ("0001-01-01T00:00", "0001-01-01T01:00"),
        ("9999-12-31T00:00", "9999-12-31T01:00"),
    ],
)
def test_a_range_that_is_none_is_refused(client: Client, bob: User, camera_x: Camera, start: str, end: str) -> None:
    client.force_login(bob)
    response = client.post(reverse("recordings:export"), {"camera": camera_x.slug, "start": start, "end": end})
    assert (response.status_code, Export.objects.count()) == (200, 0)


def test_nobody_keeps_the_workers_busy_alone(client: Client, bob: User, camera_x: Camera) -> None:
    for _ in range(export.MOST_WAITING):
        Export.objects.create(user=bob, camera=camera_x, start=NOON, end=NOON + timedelta(seconds=5))
    client.force_login(bob)
    wanted = {"camera": camera_x.slug, "start": "2026-03-04T12:00", "end": "2026-03-04T12:01"}
    assert client.post(reverse("recordings:export"), wanted).status_code == 200
    assert Export.objects.count() == export.MOST_WAITING
