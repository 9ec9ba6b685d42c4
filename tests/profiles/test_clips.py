"""Point a: real clips through the analyser, one after the other in any order and all at once.

What is expected was seen by eye: asl_walk is a woman and asl_please a man; of short_hamilton_clip only the singer is
seen clearly, the others are in profile, dark or blurred.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from accounts.models import Unit
from detections import weights
from detections.detector import on_cpu, warm
from detections.tracker import Track, Tracker
from detections.yolo import YoloDetector
from profiles import gallery
from profiles.engine import Engine
from profiles.gather import Gatherer
from profiles.models import Appearance, Confirmation, Face, Profile, UnitFaces
from videos import faces
from videos.analysers import Analyser
from videos.models import Video
from videos.sampling import Sample, samples

# Clip: how many people are clearly seen in it. Nobody is in two of them.
PEOPLE = {
    "short_hamilton_clip.mp4": 1,
    "head-pose-face-detection-female.mp4": 1,
    "head-pose-face-detection-male.mp4": 1,
    "asl_walk.mkv": 1,
    "asl_please.mkv": 1,
    "dancer_dev.mp4": 0,  # Too far away.
    "car-detection.mp4": 0,
}
POINT_A = [name for name, count in PEOPLE.items() if count]
Clip = list[tuple[Sample, list[Track]]]


@pytest.fixture(scope="module")
def detector(models: Path, test_data: Path) -> YoloDetector:
    with override_settings(MODELS_DIR=models, OMIL_MODEL=str(test_data / "weights" / "yolo26n.pt")):
        found = weights.exported()
        assert found
        detector = warm(found, on_cpu(found, threads=1), size=640)
        assert detector
        return detector


def watched(path: Path, per_s: float, detector: YoloDetector) -> Iterator[tuple[Sample, list[Track]]]:
    """The samples of a clip with the people in them, as the analysis of a video follows them."""
    tracker = Tracker()
    for sample in samples(path, per_s):
        height, width = sample.frame_bgr.shape[:2]
        boxes = detector.detect(detector.prepare(sample.frame_bgr), 0)
        yield sample, tracker.update(boxes, sample.at_s, (width, height))


@pytest.fixture(scope="module")
def sampled(test_data: Path, detector: YoloDetector) -> dict[str, Clip]:
    return {name: list(watched(test_data / "videos" / name, 5, detector)) for name in POINT_A}


@pytest.fixture
def allowed(unit_x: Unit, face_models: None) -> Unit:
    UnitFaces.objects.create(unit=unit_x, is_allowed=True)
    return unit_x


def upload(unit: Unit, name: str) -> Video:
    return Video.objects.create(unit=unit, title=name, wants_faces=True)


def analyse(video: Video, clip: Clip, folder: Path) -> Analyser:
    analyser = faces.make(video, folder, None)
    for sample, people in clip:
        analyser.take(sample, people)
    return analyser


def counts() -> dict[str, int]:
    """Profiles by the title of the video."""
    found = Appearance.objects.filter(profile__isnull=False).values_list("video__title", "profile")
    return {name: len({profile for title, profile in found if title == name}) for name in POINT_A}


@pytest.mark.django_db
@pytest.mark.parametrize("name", PEOPLE)
def test_it_finds_who_is_clearly_seen(
    name: str, allowed: Unit, detector: YoloDetector, test_data: Path, tmp_path: Path
) -> None:
    video = upload(allowed, name)
    every = watched(test_data / "videos" / name, 5 if PEOPLE[name] else 2, detector)
    analyse(video, list(itertools.islice(every, 60)), tmp_path).finish()
    assert Profile.objects.count() == Appearance.objects.count() == PEOPLE[name]


@pytest.mark.django_db
def test_uploaded_again_the_clips_add_appearances_and_no_profile(
    allowed: Unit, sampled: dict[str, Clip], tmp_path: Path
) -> None:
    for name in POINT_A * 2:
        analyse(upload(allowed, name), sampled[name], tmp_path).finish()
    assert counts() == {name: PEOPLE[name] for name in POINT_A}
    assert Profile.objects.count() == len(POINT_A)
    assert Appearance.objects.count() == Face.objects.count() == 2 * len(POINT_A)
    assert not Confirmation.objects.exists()


@pytest.mark.django_db
def test_killed_and_finished_again_it_is_the_same(allowed: Unit, sampled: dict[str, Clip], tmp_path: Path) -> None:
    name = "short_hamilton_clip.mp4"
    video, clip = upload(allowed, name), sampled[name]
    analyse(video, clip, tmp_path).finish()
    whole = list(Appearance.objects.values())
    first = analyse(video, clip[:23], tmp_path)
    again = faces.make(video, tmp_path, first.state())
    for sample, people in clip[23:]:
        again.take(sample, people)
    again.finish()
    assert list(Appearance.objects.values()) == whole
    assert Face.objects.count() == Profile.objects.count() == 1
    Appearance.objects.all().delete()
    Profile.objects.all().delete()
    gallery.forget()
    again.finish()
    assert [row["quality"] for row in Appearance.objects.values()] == [row["quality"] for row in whole]


@pytest.fixture(scope="module")
def gathered(engine: Engine, sampled: dict[str, Clip]) -> dict[str, dict[str, Any]]:
    """The state of each clip's analysis after its last sample."""
    states = {}
    for name, clip in sampled.items():
        gatherer = Gatherer(engine.finder, engine.embedder)
        for sample, people in clip:
            gatherer.take(sample.index, sample.at_s, sample.frame_bgr, people)
        states[name] = gatherer.state()
    return states


@pytest.mark.django_db(transaction=True)
def test_finishing_in_any_order_with_four_workers_makes_the_same_profiles(
    allowed: Unit, gathered: dict[str, dict[str, Any]], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    for number in range(20 if pytestconfig.getoption("--run-soak") else 2):
        Appearance.objects.all().delete()
        Profile.objects.all().delete()
        gallery.forget()
        names = POINT_A * 2
        random.Random(number).shuffle(names)
        waiting = [faces.make(upload(allowed, name), tmp_path, gathered[name]) for name in names]
        with ThreadPoolExecutor(4) as workers:
            list(workers.map(finish, waiting))
        assert counts() == dict.fromkeys(POINT_A, 1), number
        assert Profile.objects.count() == len(POINT_A)
        assert Appearance.objects.count() == 2 * len(POINT_A)
        assert not Confirmation.objects.exists()


def finish(analyser: Analyser) -> None:
    try:
        analyser.finish()
    finally:
        connections.close_all()
