"""Omil's own model on real footage, as it serves where there are no weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as conf
from pytest_django import Settings

from cameras.images import decode_bgr
from detections.detector import Detector, get_detector
from detections.letterbox import Picture
from tests.detections.played import Played
from tests.detections.scoring import pets, score

pytestmark = pytest.mark.timeout(600)
Clip = Callable[..., list[Picture]]
ONE_BY_ONE = "one-by-one-person-detection"
EDGE = 10  # Frames inside an interval from which its person is seen well.
WITHIN_S = 1.5  # It is sure of somebody a little later than larger models.


@pytest.fixture
def own(settings: Settings) -> Detector:
    settings.OMIL_MODEL = "omil-person"
    return get_detector()


def test_six_people_one_after_the_other_are_six_visits_and_seen_in_nine_frames_of_ten(
    own: Detector, clip: Clip, test_data: Path
) -> None:
    stays = json.loads((test_data / "videos" / f"{ONE_BY_ONE}.presence.json").read_text())["visits"]
    played, seen = Played(size_wh=(768, 432)), {}
    for number, picture in enumerate(clip(f"{ONE_BY_ONE}.mp4", every=2)):
        boxes = own.detect(own.prepare(picture), 1)
        seen[2 * number] = len(boxes.above(conf.CONFIDENCE)) > 0
        played.frame(number / 5, boxes, picture)
    played.nobody(140, 152)
    assert len(played.ended) == len(stays), played.spans
    for (first_seen, last_seen), (first, last) in zip(played.spans, stays, strict=True):
        assert abs(first_seen - first / 10) <= WITHIN_S, played.spans
        assert abs(last_seen - last / 10) <= WITHIN_S, played.spans
    inside = [
        is_seen
        for number, is_seen in seen.items()
        if any(first + EDGE <= number <= last - EDGE for first, last in stays)
    ]
    assert sum(inside) >= 0.9 * len(inside), f"{sum(inside)} of {len(inside)}"


def test_moving_cars_are_no_visit(own: Detector, clip: Clip) -> None:
    played = Played(size_wh=(768, 432))
    for number, picture in enumerate(clip("car-detection.mp4", every=3)):
        played.frame(number * 3 / 12.5, own.detect(own.prepare(picture), 1), picture)
    assert played.ended == []
    assert played.told == []


def test_of_a_crossing_it_finds_more_than_half_and_hardly_anything_else(own: Detector, test_data: Path) -> None:
    labelled = pets(test_data)
    found = []
    for picture in labelled:
        boxes = own.detect(own.prepare(decode_bgr(picture.jpeg)), 1).above(conf.CONFIDENCE)
        found.append((boxes.xyxy, boxes.confidence))
    result = score(found, labelled)
    assert result.precision >= 0.9, result
    assert result.recall >= 0.55, result
