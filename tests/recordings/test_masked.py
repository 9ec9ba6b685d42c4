"""A masked region never appears: a bright pattern under a mask, from the frame that comes in to all that is made of it.

The mask is drawn while a person is there and a clip is being made of them. Frames come unmasked all the while, as from
a page that does not know; whatever is looked at or made after the change must be black there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from django.conf import settings as conf
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import User
from cameras import drawing, images, live
from cameras.analysis import AnalysisState
from cameras.frames import Frame
from cameras.intake import Intake
from cameras.models import Camera, Zone
from cameras.node import Node
from detections import jobs as analysis
from detections import turn, zoning
from detections.models import Visit
from recordings import export as exports
from recordings import jobs, poster, storage, takes
from recordings.models import Export, Recording
from recordings.recorder import Recorder
from tests.build import STREAM
from tests.fakes import FakeDetector, numbered_picture
from tests.recordings.post import Told

pytestmark = pytest.mark.django_db
FPS = 5
WIDTH, HEIGHT = 320, 240
REGION = [[0.5, 0.25], [1.0, 0.25], [1.0, 1.0], [0.5, 1.0]]
DARK = 60  # Of 255: what compression leaves of black. The pattern is brighter by far.
BRIGHT = 150
FIRST, DRAWN, LAST, END = 10, 30, 60, 110  # The person comes, the mask is drawn, the person goes, all is over.


def pattern(number: int) -> bytes:
    """The frame's number above, and a bright pattern where the mask will be, another one each time."""
    picture = images.decode_bgr(numbered_picture(number, (WIDTH, HEIGHT))).copy()
    noise = np.random.default_rng(number).integers(0, 60, (45, 40), np.uint8)
    picture[60:240, 160:320] = 195 + np.repeat(np.repeat(noise, 4, 0), 4, 1)[..., None]
    return images.encode_jpeg(picture, 90)


def inner(picture: np.ndarray) -> np.ndarray:
    """What lies well under the mask, whatever size the picture was made in."""
    height, width = picture.shape[:2]
    return picture[round(0.3 * height) : round(0.98 * height), round(0.55 * width) : round(0.98 * width)]


def is_black(picture: bytes | np.ndarray) -> bool:
    found = inner(images.decode_bgr(picture) if isinstance(picture, bytes) else picture)
    return bool(np.percentile(found, 99.9) < DARK)


def frames_of(video: Path) -> list[np.ndarray]:
    with av.open(str(video)) as film:
        return [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]


def someone_in_the_region(number: int) -> list[tuple[float, float, float, float]]:
    return [(170.0 + number % 7, 70.0, 290.0, 235.0)] if FIRST <= number <= LAST else []


class Way:
    """All of it in one process and by scripted seconds: what comes in, analysis, the recorder."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.started_at = time.time() - 30
        running = AnalysisState(is_down=False, workers=1, frame_s=0.0001)
        self.node = Node(lambda: running, lambda camera_id, *, catching_up: None, lambda: None)
        self.intake = self.node.intakes[camera.pk] = Intake(camera.pk, self.node)
        self.now = self.started_at
        self.recorder = Recorder(now=lambda: self.now)

    def run(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            self.now = self.started_at + number / FPS
            frame = Frame(self.camera.pk, STREAM, number, self.now, self.now, pattern(number))
            answer = self.intake.receive(frame)
            assert answer.verdict in ("admitted", "no_motion"), answer
            kept = answer.kept or frame
            if self.intake.guard.holds(kept):
                live.publish(kept, admitted=True)
            if number % 3 == 0:
                analysis.drain(self.camera.pk)
                self.recorder.tell()
                self.recorder.tick()

    def held(self) -> list[bytes]:
        return [path.read_bytes() for path in self.intake.spool.folder.rglob("*.jpg")]


@pytest.fixture
def way(
    camera_x: Camera, told: Told, empty_valkey: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Way]:
    settings.CLIP_PRESET, settings.LINGER_S = "ultrafast", 0.0
    monkeypatch.setattr(analysis, "get_detector", lambda: FakeDetector(someone_in_the_region))
    turn.worker.cache_clear()
    yield Way(camera_x)
    live.forget(camera_x.pk)
    turn.worker.cache_clear()


def draw(camera: Camera) -> None:
    with drawing.changing(camera.pk):
        Zone.objects.create(camera=camera, name="Window", kind="mask", points=REGION)


def until_burnt() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("masks-"):
            thread.join(30)


def content(response: Any) -> bytes:
    assert response.status_code == 200
    return b"".join(response.streaming_content) if response.streaming else response.content


def content_of_crop(client: Client, address: str) -> np.ndarray:
    """Well within the crop of the person, who stands under the mask but for the box's margin on the left."""
    crop = images.decode_bgr(content(client.get(address)))
    height, width = crop.shape[:2]
    return crop[height // 4 :, width // 4 :]


def test_a_masked_region_never_appears(
    way: Way,
    client: Client,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client.force_login(bob)
    camera = way.camera
    way.run(1, DRAWN)
    assert not any(is_black(jpeg) for jpeg in way.held())
    assert np.mean(inner(images.decode_bgr(way.held()[0]))) > BRIGHT
    (take,) = takes.folders_of(camera.pk)
    assert len(list(take.pictures())) > 20
    visit = Visit.objects.get()
    picture = reverse("detections:visit-picture", args=[visit.pk])
    assert np.mean(content_of_crop(client, picture)) > BRIGHT

    # The change: within a second, as the ticker calls it, and without a new connection.
    with django_capture_on_commit_callbacks(execute=True):
        draw(camera)
    assert live.find(camera.pk, STREAM, DRAWN) is None
    way.intake.flush()
    way.run(DRAWN + 1, DRAWN + 3)
    until_burnt()
    assert len(way.held()) > 40
    assert all(is_black(jpeg) for jpeg in way.held())

    monkeypatch.setattr(zoning, "LOOK_S", -1.0)  # A second passes.
    way.run(DRAWN + 4, LAST)
    assert np.percentile(content_of_crop(client, picture), 99.9) < DARK
    shown = [live.find(camera.pk, STREAM, number) for number in range(LAST - 5, LAST)]
    assert all(frame and is_black(frame.jpeg) for frame in shown)
    newest = live.newest(camera.pk)
    assert newest
    assert is_black(newest.jpeg)
    way.run(LAST + 1, END)
    assert all(is_black(jpeg) for jpeg in way.held())

    # The clip, of what was captured before the change as well.
    (clip,) = Recording.objects.all()
    jobs.encode(camera.pk, str(clip.pk))
    clip.refresh_from_db()
    assert clip.state == Recording.State.READY
    video = storage.root() / clip.path
    films = frames_of(video)
    assert len(films) > 60
    assert all(is_black(frame) for frame in films)
    assert is_black(poster.poster_of(video).read_bytes())
    strip = images.decode_bgr(poster.strip_of(video).read_bytes())
    frame_wh = round(strip.shape[0] * WIDTH / HEIGHT)
    assert strip.shape[1] >= 2 * frame_wh
    for left in range(0, strip.shape[1] - frame_wh + 1, frame_wh):
        assert is_black(strip[:, left : left + frame_wh])
    assert is_black(content(client.get(reverse("recordings:poster", args=[clip.pk]))))

    # A film of a time range, and the best picture of a visit that began after the change.
    export = Export.objects.create(user=bob, camera=camera, start=clip.start, end=timezone.now() + timedelta(minutes=1))
    exports.make(str(export.pk))
    export.refresh_from_db()
    assert export.state == "ready", export.error
    assert all(is_black(frame) for frame in frames_of(Path(conf.EXPORTS_DIR) / export.path))


def test_the_picture_of_a_visit_shows_nothing_of_what_is_masked(
    way: Way, client: Client, bob: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        draw(way.camera)
    way.intake.flush()
    until_burnt()
    way.run(1, LAST)
    client.force_login(bob)
    visit = Visit.objects.get()
    crop = content_of_crop(client, reverse("detections:visit-picture", args=[visit.pk]))
    assert np.percentile(crop, 99.9) < DARK
