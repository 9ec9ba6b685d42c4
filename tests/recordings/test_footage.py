"""Real footage through the product's own way of a picture: which clips come of it, and where they begin and end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from django.test import override_settings
from pytest_django import Settings

from cameras import folders
from cameras.models import Camera
from cameras.packet_ring import PacketRing
from cameras.pull.feed import QUIET_AFTER_S
from cameras.pull.source import Control, Packets, Picture
from detections import detector, jobs, turn
from detections.tracklog import TrackLog
from recordings import jobs as recording_jobs
from recordings import takes
from recordings.models import Recording, RecordingRules
from tests.cameras.pull import streams
from tests.clips import stream
from tests.recordings.film import START, Cached, Film, Kept, jpeg_of
from tests.recordings.post import Told

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]
WITHIN_S = 1.0
GROUP_S = 2.0
EVERY = 2  # Five pictures a second, as cameras send.
Spans = list[tuple[float, float]]


@pytest.fixture(scope="session")
def cached(models: Path, test_data: Path) -> Iterator[Cached]:
    with override_settings(MODELS_DIR=models, OMIL_MODEL=str(test_data / "weights" / "yolo26n.pt")):
        real = detector.get_detector()
    assert real.name.startswith("yolo26n")
    yield Cached(real)
    detector.forget()


@pytest.fixture
def _analysis(cached: Cached, monkeypatch: pytest.MonkeyPatch, settings: Settings, valkey: str) -> Iterator[None]:
    monkeypatch.setattr(jobs, "get_detector", lambda: cached)
    settings.LINGER_S = 0.0
    settings.GATE_SAMPLE = 0
    turn.worker.cache_clear()
    yield
    turn.worker().decoder.shutdown(wait=True)
    turn.worker.cache_clear()


@pytest.fixture(scope="session")
def one_by_one(test_data: Path) -> tuple[list[tuple[float, bytes]], Spans]:
    """Pictures with their times, and when each of six people was there."""
    path = test_data / "videos" / "one-by-one-person-detection.mp4"
    visits = json.loads(path.with_suffix(".presence.json").read_text())["visits"]
    pictures = [(index / 10, jpeg_of(picture)) for index, picture in stream(path, every=EVERY)]
    return pictures, [(first / 10, last / 10) for first, last in visits]


@pytest.fixture
def film(camera_x: Camera, _analysis: None) -> Film:
    return Film(camera_x)


def play(film: Film, pictures: list[tuple[float, bytes]]) -> list[Kept]:
    for at, jpeg in pictures:
        film.show(at, jpeg)
    film.ends()
    return film.kept()


def assert_whole(kept: list[Kept]) -> None:
    for clip in kept:
        assert clip.pictures == round((clip.end - clip.start) * 5) + 1


def test_six_people_one_after_the_other_are_six_clips(
    film: Film, one_by_one: tuple[list[tuple[float, bytes]], Spans]
) -> None:
    pictures, visits = one_by_one
    RecordingRules.objects.create(camera=film.camera, stop_after_s=2.5, before_s=1, after_s=1)
    kept = play(film, pictures)
    assert len(kept) == len(visits) == 6, kept
    for clip, (first, last) in zip(kept, visits, strict=True):
        assert abs(clip.start - (first - 1)) <= WITHIN_S, kept
        assert abs(clip.end - (last + 1)) <= WITHIN_S, kept
    assert [clip.max_people for clip in kept] == [1] * 6
    assert_whole(kept)


def test_six_people_in_a_cameras_stream_are_six_clips_copied_from_it(
    film: Film, test_data: Path, tmp_path: Path, told: Told
) -> None:
    """Decoded on demand, as ingest does it: while somebody has been in sight in the last seconds, at the full rate."""
    RecordingRules.objects.create(camera=film.camera, stop_after_s=2.5, before_s=1, after_s=1)
    source = test_data / "videos" / "one-by-one-person-detection.mp4"
    visits = json.loads(source.with_suffix(".presence.json").read_text())["visits"]
    sent = streams.encode(tmp_path / "sent.mp4", "-i", str(source), group=20)
    ring = PacketRing(folders.of(film.camera.pk), max_bytes=10**9)
    control, moved_at, shown = Control(5.0), START, 0
    for came in streams.played(sent, start=START, control=control):
        match came.item:
            case Packets(body=body):
                ring.put(body)
            case Picture(captured_at=at, jpeg=jpeg):
                shown += 1
                film.show(at - START, jpeg)
                moved_at = at if film.verdict == "admitted" else moved_at
                control.is_quiet = at - moved_at > QUIET_AFTER_S
    film.ends()
    for folder in takes.folders_of(film.camera.pk):
        recording_jobs.encode(film.camera.pk, folder.id)
    clips = list(Recording.objects.order_by("start"))
    assert [clip.state for clip in clips] == ["ready"] * 6
    for clip, (first, last) in zip(clips, visits, strict=True):
        begin, end = clip.start.timestamp() - START, clip.end.timestamp() - START
        assert -GROUP_S - WITHIN_S <= begin - (first / 10 - 1) <= WITHIN_S  # With the key picture before it.
        assert abs(end - (last / 10 + 1)) <= WITHIN_S
        assert abs(clip.frames - (10 * (end - begin) + 1)) <= 1  # All that the camera sent, and not five a second.
    assert [clip.max_people for clip in clips] == [1] * 6
    assert shown == pytest.approx(5 * 139.4, abs=5)


def test_with_a_long_stop_they_are_one_clip(film: Film, one_by_one: tuple[list[tuple[float, bytes]], Spans]) -> None:
    pictures, visits = one_by_one
    RecordingRules.objects.create(camera=film.camera, stop_after_s=8, before_s=1, after_s=1)
    (clip,) = play(film, pictures)
    assert abs(clip.start - (visits[0][0] - 1)) <= WITHIN_S
    assert abs(clip.end - (visits[-1][1] + 1)) <= WITHIN_S
    assert clip.max_people == 1
    assert_whole([clip])


def test_with_the_defaults_every_visit_lies_wholly_in_a_clip(
    film: Film, one_by_one: tuple[list[tuple[float, bytes]], Spans]
) -> None:
    pictures, visits = one_by_one
    kept = play(film, pictures)
    for first, last in visits:
        assert any(clip.start <= first and last <= clip.end for clip in kept), (first, last, kept)
    assert {clip.max_people for clip in kept} == {1}
    assert_whole(kept)


def test_a_crowd_is_one_clip_that_knows_its_most(film: Film, test_data: Path) -> None:
    pictures = [(index / 10, jpeg_of(picture)) for index, picture in stream(test_data / "videos" / "pets09_dev.mp4")]
    (clip,) = play(film, pictures[::EVERY])
    rows = TrackLog(folders.tracks_of(film.camera.pk)).rows(0, START + 3_600)
    assert clip.max_people == max(len(row.boxes) for row in rows) > 3
    assert (clip.start, clip.end) == (0, 39.8)


def test_while_analysis_is_stopped_for_a_minute_the_film_goes_on_and_says_so(
    film: Film, one_by_one: tuple[list[tuple[float, bytes]], Spans]
) -> None:
    """It stops while nobody is there, misses two people, and is back before the third."""
    RecordingRules.objects.create(camera=film.camera, stop_after_s=2.5, before_s=1, after_s=1)
    pictures, visits = one_by_one
    for at, jpeg in pictures:
        film.is_analysed = not 47 <= at < 107
        film.show(at, jpeg)
    film.ends()
    unseen = Recording.objects.filter(camera=film.camera, is_unanalysed=True)
    spans = [(row.start.timestamp() - START, row.end.timestamp() - START) for row in unseen]
    assert min(start for start, _ in spans) <= 47 - 1
    assert max(end for _, end in spans) >= 107
    kept = film.kept()
    assert all(later.start <= clip.end + 0.2 for clip, later in pairwise(kept) if clip.start >= 46 > later.start), kept
    for first, last in visits:
        assert any(clip.start <= first and last <= clip.end for clip in kept), (first, last, kept)
    assert_whole(kept)
