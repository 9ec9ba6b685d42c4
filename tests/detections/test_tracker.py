from __future__ import annotations

import random
import time

import msgpack
import pytest

from detections.boxes import Boxes
from detections.tracker import LOST_S, Box, Track, Tracker
from tests.detections.played import START, WH, people, standing


def ids(tracks: list[Track]) -> list[int]:
    return [track.id for track in tracks]


def walk(tracker: Tracker, *, fps: float, start: float = 0, end: float = 4, speed: float = 160) -> set[int]:
    """Somebody 200 px high walks to the right from x = 60, at a pace of 0.8 of their height a second."""
    seen: set[int] = set()
    for index in range(round((end - start) * fps) + 1):
        at = start + index / fps
        seen.update(ids(tracker.update(people(standing(60 + speed * (at - start))), START + at, WH)))
    return seen


@pytest.mark.parametrize("fps", [1, 2, 3, 5, 10, 15, 30])
def test_somebody_walking_keeps_one_id_at_any_frame_rate(fps: float) -> None:
    assert walk(Tracker(), fps=fps) == {1}


def test_somebody_walking_keeps_one_id_while_the_frame_rate_changes() -> None:
    tracker, at, seen = Tracker(), 0.0, set()
    chance = random.Random(1)
    while at < 4:
        seen.update(ids(tracker.update(people(standing(60 + 120 * at)), START + at, WH)))
        at += chance.choice([0.033, 0.1, 0.2, 0.5])
    assert seen == {1}


def test_the_velocity_is_that_of_capture_time() -> None:
    tracker = Tracker()
    for at in (0.0, 0.1, 0.35, 0.4, 0.9, 1.0, 1.2):  # 100 px a second, however the frames come.
        (track,) = tracker.update(people(standing(100 + 100 * at)), START + at, WH)
    assert track.velocity[0] == pytest.approx(100, abs=5)
    assert track.velocity[1] == pytest.approx(0, abs=1)
    assert track.started_at == START
    assert track.hits == 7


def test_a_track_holds_the_box_as_it_was_detected() -> None:
    tracker = Tracker()
    tracker.update(people((100, 100, 150, 200)), START, WH)
    (track,) = tracker.update(people((110, 104, 150, 200), confidence=0.8), START + 0.1, WH)
    assert list(track.xyxy) == [110, 104, 150, 200]
    assert track.confidence == pytest.approx(0.8)


def test_two_people_who_pass_each_other_keep_their_ids() -> None:
    tracker = Tracker()
    paths: dict[int, list[float]] = {}
    for index in range(50):
        right, left = 50 + 12 * index, 600 - 11 * index
        tracks = tracker.update(people(standing(right), standing(left, feet=420, height=220)), START + index / 10, WH)
        for track in tracks:
            paths.setdefault(track.id, []).append((track.xyxy[0] + track.xyxy[2]) / 2)
    assert len(paths) == 2
    assert paths[1] == sorted(paths[1])
    assert paths[2] == sorted(paths[2], reverse=True)


def test_a_single_box_is_not_yet_confirmed() -> None:
    tracker = Tracker()
    assert [track.is_confirmed for track in tracker.update(people(standing(100)), START, WH)] == [False]
    assert [track.is_confirmed for track in tracker.update(people(standing(101)), START + 0.1, WH)] == [True]


def test_a_faint_box_continues_a_track_but_begins_none() -> None:
    tracker = Tracker(confidence=0.25)
    assert tracker.update(people(standing(100), confidence=0.2), START, WH) == []
    assert ids(tracker.update(people(standing(100)), START + 0.1, WH)) == [1]
    assert ids(tracker.update(people(standing(102), confidence=0.12), START + 0.2, WH)) == [1]
    assert tracker.update(people(standing(102), confidence=0.05), START + 0.3, WH) == []


def test_a_camera_s_own_confidence_decides_what_is_faint() -> None:
    strict = Tracker(confidence=0.7)
    assert strict.update(people(standing(100), confidence=0.6), START, WH) == []
    assert ids(strict.update(people(standing(100), confidence=0.75), START + 0.1, WH)) == [1]
    assert ids(strict.update(people(standing(101), confidence=0.3), START + 0.2, WH)) == [1]


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_a_lost_track_is_kept_for_a_second_of_capture_time_not_for_so_many_frames(fps: float) -> None:
    for away, expected in ((LOST_S - 0.1, [1]), (LOST_S + 0.3, [2])):
        tracker, at = Tracker(), 0.0
        while at < 2:
            tracker.update(people(standing(300)), START + at, WH)
            at += 1 / fps
        last = at - 1 / fps
        while at < last + away:
            assert tracker.update(people(), START + at, WH) == []
            at += 1 / fps
        assert ids(tracker.update(people(standing(300)), START + last + away, WH)) == expected


def test_a_pause_between_frames_is_bridged_unless_it_is_long() -> None:
    # The gate was closed: no frame, no miss.
    for pause, expected in ((2.0, [1]), (4.0, [2])):
        tracker = Tracker()
        tracker.update(people(standing(300)), START, WH)
        tracker.update(people(standing(300)), START + 0.2, WH)
        assert ids(tracker.update(people(standing(300)), START + 0.2 + pause, WH)) == expected


def test_a_track_that_walked_out_is_not_taken_over_by_who_comes_in() -> None:
    tracker, x = Tracker(), 560.0
    at = 0.0
    while x < 660:
        tracker.update(people(standing(x)), START + at, WH)
        at, x = at + 0.1, x + 25
    for _ in range(6):
        at += 0.1
        tracker.update(people(), START + at, WH)
    assert ids(tracker.update(people((600, 210, 640, 400)), START + at + 0.1, WH)) != [1]


@pytest.mark.parametrize(
    "second",
    [
        (100, 100, 200, 250),  # The upper half of the same person.
        (105, 100, 195, 190),  # Head and shoulders.
        (90, 95, 210, 410),  # The same, a little larger.
        (100, 240, 200, 400),  # The legs.
    ],
)
def test_a_second_box_of_one_person_begins_no_track(second: Box) -> None:
    tracker, seen = Tracker(), set()
    whole = (100.0, 100.0, 200.0, 400.0)
    for index in range(30):
        boxes = people(whole, second, confidence=[0.9, 0.6]) if index % 3 else people(whole)
        seen.update(ids(tracker.update(boxes, START + index / 10, WH)))
    assert seen == {1}


@pytest.mark.parametrize(
    "other",
    [
        (160, 110, 260, 400),  # Beside and half behind.
        (140, 60, 230, 300),  # Behind, looking over the shoulder.
        (130, 110, 152, 180),  # Far away, and so inside.
    ],
)
def test_another_person_near_or_behind_has_a_track_of_their_own(other: Box) -> None:
    tracker = Tracker()
    for index in range(3):
        tracks = tracker.update(people((100, 100, 200, 400), other, confidence=[0.9, 0.6]), START + index / 10, WH)
    assert len(tracks) == 2


def test_two_people_who_come_to_overlap_keep_both_tracks() -> None:
    tracker = Tracker()
    for index in range(20):
        x = 150 + 10 * index  # The smaller passes before the larger, quite inside their box.
        tracks = tracker.update(people((200, 80, 360, 440), (x - 40, 180, x + 40, 430)), START + index / 10, WH)
    assert ids(tracks) == [1, 2]


def test_a_change_of_the_picture_s_size_loses_nobody() -> None:
    tracker = Tracker()
    for index in range(20):
        width, height = WH if index < 10 else (WH[0] // 2, WH[1] // 2)
        left, top, right, bottom = standing(100 + 15 * index)
        scale = width / WH[0]
        box = (left * scale, top * scale, right * scale, bottom * scale)
        (track,) = tracker.update(people(box), START + index / 10, (width, height))
        assert track.id == 1
    assert track.velocity[0] == pytest.approx(75, rel=0.1)


def test_a_time_that_runs_back_is_taken_as_the_last_one() -> None:
    tracker = Tracker()
    tracker.update(people(standing(100)), START + 1, WH)
    assert ids(tracker.update(people(standing(100)), START + 0.5, WH)) == [1]
    assert ids(tracker.update(people(standing(100)), START + 1.1, WH)) == [1]


def crowd(chance: random.Random, frames: int) -> list[tuple[float, Boxes]]:
    """People who come and go, with missed, faint and doubled boxes."""
    log, at = [], START
    walkers = [[chance.uniform(0, 640), chance.uniform(250, 450), chance.uniform(-90, 90)] for _ in range(6)]
    for _ in range(frames):
        step = chance.choice([0.03, 0.1, 0.1, 0.2, 0.7])
        at += step
        boxes: list[Box] = []
        for walker in walkers:
            walker[0] = (walker[0] + walker[2] * step) % 700
            if chance.random() < 0.8:
                boxes.append(standing(walker[0] + chance.gauss(0, 3), feet=walker[1], height=walker[1] / 2))
            if chance.random() < 0.1:
                boxes.append(standing(walker[0], feet=walker[1] - 50, height=walker[1] / 3))
        log.append((at, people(*boxes, confidence=[chance.uniform(0.08, 0.95) for _ in boxes])))
    return log


@pytest.mark.parametrize("seed", range(5))
def test_a_tracker_restored_after_every_frame_goes_on_exactly_the_same(seed: int) -> None:
    whole, state = Tracker(), None
    for at, boxes in crowd(random.Random(seed), 120):
        restored = Tracker(state)
        assert restored.update(boxes, at, WH) == whole.update(boxes, at, WH)
        state = msgpack.unpackb(msgpack.packb(restored.state()), strict_map_key=False)
        assert state == whole.state()


def test_the_state_of_another_version_is_not_read() -> None:
    tracker = Tracker()
    tracker.update(people(standing(100)), START, WH)
    restored = Tracker({**tracker.state(), "version": 0})
    assert ids(restored.update(people(standing(100)), START + 0.1, WH)) == [1]
    assert restored.state()["hits"] == [1]


def test_frames_without_boxes_and_a_state_without_tracks_are_taken() -> None:
    tracker = Tracker()
    assert tracker.update(people(), START, WH) == []
    assert Tracker(tracker.state()).update(people(), START + 1, WH) == []


def test_a_frame_with_six_people_costs_little() -> None:
    boxes = people(*(standing(80 + 100 * index) for index in range(6)))
    tracker = Tracker()
    rounds = []
    for turn in range(8):
        began = time.process_time()
        for index in range(50):
            tracker.update(boxes, START + turn * 5 + index / 10, WH)
        rounds.append((time.process_time() - began) / 50)
    assert min(rounds) < 0.002  # About 0.2 ms on an idle core.
