"""The detector without a model: people who move, held where they stand, and no cars."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from detections import motion_hog
from detections.boxes import Boxes
from detections.letterbox import Picture
from detections.motion_hog import CONFIRMED, MotionHogDetector
from tests.detections.scoring import overlap

ROOM = np.random.default_rng(7).integers(90, 110, (360, 640, 3)).astype(np.uint8)
EVERY = 2  # The clips have 10 and 12.5 frames a second; the product takes five.


def watch(frames: list[Picture], *, camera_id: int = 1, by: MotionHogDetector | None = None) -> list[Boxes]:
    by = by or MotionHogDetector()
    return [by.detect(by.prepare(frame), camera_id) for frame in frames]


def with_block(left: int, *, top: int = 100, width: int = 80, height: int = 160, room: Picture = ROOM) -> Picture:
    frame = room.copy()
    frame[top : top + height, left : left + width] = 220
    return frame


def sure(boxes: Boxes) -> int:
    return len(boxes.above(CONFIRMED - 0.01))


# --- The clips ---


@pytest.fixture(scope="module")
def one_by_one(clip: Callable[..., list[Picture]]) -> list[Boxes]:
    return watch(clip("one-by-one-person-detection.mp4", every=EVERY))


@pytest.fixture(scope="module")
def stays(test_data: Path) -> list[range]:
    """The frames in which each of the six people is in the picture."""
    about = json.loads((test_data / "videos" / "one-by-one-person-detection.presence.json").read_text())
    return [range(first // EVERY, last // EVERY + 1) for first, last in about["visits"]]


def test_each_of_six_people_is_confirmed(one_by_one: list[Boxes], stays: list[range]) -> None:
    confirmed = [sum(sure(one_by_one[index]) > 0 for index in stay) for stay in stays]
    assert min(confirmed) >= 2, confirmed
    assert sum(confirmed) > sum(map(len, stays)) / 4


def test_whoever_stands_still_keeps_a_box(one_by_one: list[Boxes], stays: list[range]) -> None:
    """Once somebody is all in the picture, every frame has a box for the tracker to hold on to."""
    for stay in stays:
        inside = stay[5:-5]
        assert sum(len(one_by_one[index]) > 0 for index in inside) == len(inside)


def test_an_empty_room_has_nobody(one_by_one: list[Boxes], stays: list[range]) -> None:
    near = {index for stay in stays for index in range(stay.start - 2, stay.stop + 2)}
    assert not any(sure(boxes) for index, boxes in enumerate(one_by_one) if index not in near)


def test_cars_are_nobody(clip: Callable[..., list[Picture]]) -> None:
    seen = watch(clip("car-detection.mp4", every=EVERY))
    assert any(len(boxes) for boxes in seen)  # They do move.
    assert sum(map(sure, seen)) == 0


# --- Made scenes ---


def test_the_first_frame_only_teaches() -> None:
    assert len(watch([with_block(100)])[0]) == 0


def test_what_moves_has_a_box_where_it_is_but_below_every_threshold() -> None:
    boxes = watch([ROOM, with_block(100), with_block(300)])
    for seen, left in ((boxes[1], 100), (boxes[2], 300)):
        assert len(seen) == 1
        assert overlap(seen.xyxy[0], np.array([left, 100, left + 80, 260])) > 0.7
        assert 0.1 <= seen.confidence[0] < 0.2


def test_boxes_are_in_pixels_of_the_frame() -> None:
    large = [cv2.resize(frame, (1280, 720)) for frame in (ROOM, with_block(100))]
    assert overlap(watch(large)[1].xyxy[0], np.array([200, 200, 360, 520])) > 0.7


@pytest.mark.parametrize("levels", [-40, 40])
def test_a_step_of_light_is_no_motion(levels: int) -> None:
    lit = np.clip(ROOM.astype(int) + levels, 0, 255).astype(np.uint8)
    assert [len(boxes) for boxes in watch([ROOM, lit, lit])] == [0, 0, 0]


def test_a_new_scene_is_learnt_at_once() -> None:
    other = np.random.default_rng(8).integers(0, 255, (90, 160, 3)).astype(np.uint8)
    other = cv2.resize(other, (640, 360), interpolation=cv2.INTER_NEAREST)
    boxes = watch([ROOM, other, other])
    assert len(boxes[2]) == 0


def test_a_thing_put_down_becomes_background(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = watch([ROOM] + [with_block(100)] * 200)
    assert len(boxes[1]) == 1
    assert len(boxes[-1]) == 0


def test_a_person_confirmed_in_two_frames_running_is_held_while_hog_is_unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, True, False, True] + [False] * 200)
    monkeypatch.setattr(MotionHogDetector, "_is_person", lambda *_args: next(answers))
    boxes = watch([ROOM] + [with_block(100)] * 204)
    assert [sure(seen) for seen in boxes[1:6]] == [0, 1, 0, 0, 0]
    assert all(len(seen) == 1 for seen in boxes[1:])


def test_confirmations_of_two_things_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MotionHogDetector, "_is_person", lambda *_args: True)
    assert [sure(boxes) for boxes in watch([ROOM, with_block(50), with_block(400), with_block(410)])] == [0, 0, 0, 1]


def test_cameras_do_not_mix_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion_hog, "CAMERAS_KEPT", 2)
    by = MotionHogDetector()
    dark = (ROOM // 4).astype(np.uint8)
    watch([ROOM], camera_id=1, by=by)
    watch([dark], camera_id=2, by=by)
    assert len(watch([with_block(100)], camera_id=1, by=by)[0]) == 1
    assert len(watch([dark], camera_id=2, by=by)[0]) == 0
    watch([ROOM], camera_id=3, by=by)
    assert list(by._scenes) == [2, 3]


def test_a_camera_may_change_its_picture_size() -> None:
    by = MotionHogDetector()
    watch([ROOM], by=by)
    assert len(watch([np.zeros((480, 640, 3), np.uint8)], by=by)[0]) == 0
