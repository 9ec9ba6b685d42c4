"""Real footage through the real model: whole clips, and scripts of who hides, leaves, crosses and comes back."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import lap
import numpy as np
import pytest
from django.test import override_settings

from detections.appearance import Picture
from detections.boxes import Boxes
from detections.detector import get_detector
from detections.tracker import Box
from tests.clips import Clip, Cutout, Room, cover, paste, read, stream
from tests.detections.played import Found, Played, people
from tests.detections.scoring import MATCH, overlap

pytestmark = pytest.mark.timeout(600)
ONE_BY_ONE = "one-by-one-person-detection"
WITHIN_S = 1.0


@pytest.fixture(scope="session")
def found(models_dir: Path, model_file: Path) -> Found:
    """The product's detector, asked once for each picture."""
    with override_settings(MODELS_DIR=models_dir, OMIL_MODEL=str(model_file)):
        detector = get_detector()
    assert detector.name.startswith("yolo26n")
    known: dict[bytes, Boxes] = {}

    def find(picture: Picture) -> Boxes:
        key = hashlib.blake2b(picture.data, digest_size=16).digest()
        if key not in known:
            known[key] = detector.detect(detector.prepare(picture), 1)
        return known[key]

    return find


@pytest.fixture(scope="session")
def room(test_data: Path) -> Room:
    return Room(test_data / "videos")


def play(clip: Clip, found: Found) -> Played:
    height, width = clip.frames[0].shape[:2]
    return Played(size_wh=(width, height)).clip(clip, found)


# --- Six people, one after the other ---


@dataclass(frozen=True)
class Labelled:
    path: Path
    spans: list[tuple[int, int]]  # First and last frame of each visit, at ten a second.

    def is_anybody(self, index: int, margin: int) -> bool:
        return any(first - margin <= index <= last + margin for first, last in self.spans)


@pytest.fixture(scope="session")
def one_by_one(test_data: Path) -> Labelled:
    path = test_data / "videos" / f"{ONE_BY_ONE}.mp4"
    labels = json.loads(path.with_suffix(".presence.json").read_text())
    return Labelled(path, [(first, last) for first, last in labels["visits"]])


def assert_visits(played: Played, spans: list[tuple[int, int]]) -> None:
    """One visit for each labelled one, each edge within a second of it."""
    assert len(played.ended) == len(spans), played.spans
    for (first_seen, last_seen), (first, last) in zip(played.spans, spans, strict=True):
        assert abs(first_seen - first / 10) <= WITHIN_S, played.spans
        assert abs(last_seen - last / 10) <= WITHIN_S, played.spans
    assert max(played.writes.values()) <= 5


@pytest.mark.parametrize("every", [2, 4, 6], ids=["5 fps", "2.5 fps", "1.7 fps"])
def test_six_people_one_after_the_other_are_six_visits(one_by_one: Labelled, found: Found, every: int) -> None:
    played = Played(size_wh=(768, 432))
    for index, picture in stream(one_by_one.path, every=every):
        played.frame(index / 10, found(picture), picture)
    played.nobody(140, 152)
    assert_visits(played, one_by_one.spans)
    assert all(visit.end_reason == "left" and visit.has_picture for visit in played.ended)
    assert max(played.pictures.values()) <= 6


def test_at_ten_frames_a_second_and_killed_after_each_they_are_the_same(one_by_one: Labelled, found: Found) -> None:
    played = Played(size_wh=(768, 432), restarts=True)
    for index, picture in stream(one_by_one.path, stop=470):
        played.frame(index / 10, found(picture), picture)
    assert_visits(played, one_by_one.spans[:2])


def test_when_only_frames_come_that_the_gate_would_let_through_they_are_the_same(
    one_by_one: Labelled, found: Found
) -> None:
    played = Played(size_wh=(768, 432))
    for index, picture in stream(one_by_one.path, every=2):
        if one_by_one.is_anybody(index, margin=8):
            played.frame(index / 10, found(picture), picture)
        else:
            played.advance(index / 10)
    assert_visits(played, one_by_one.spans)


# --- Other clips ---


def test_moving_cars_are_no_visit(test_data: Path, found: Found) -> None:
    frames = read(test_data / "videos" / "car-detection.mp4", every=3)
    assert play(Clip(frames, 12.5 / 3), found).ended == []


@pytest.mark.parametrize(
    ("name", "fps", "every", "visits"),
    [
        ("dancer_dev.mp4", 25, 5, 1),  # Always in view.
        ("worker-zone-detection.mp4", 15, 2, 1),
        ("store-aisle-detection.mp4", 15, 2, 3),  # Three shoppers, one before another.
        ("asl_please.mkv", 30, 6, 2),  # The signer, and somebody at the edge of the picture.
        ("head-pose-face-detection-male.mp4", 12, 2, 1),
    ],
)
def test_everybody_in_a_clip_is_one_visit(
    test_data: Path, found: Found, name: str, fps: float, every: int, visits: int
) -> None:
    played = play(Clip(read(test_data / "videos" / name, every=every), fps / every), found)
    assert len(played.ended) == visits
    assert all(visit.state == "present" for visit in played.ended)


def test_of_a_crossing_each_labelled_person_is_matched_by_one_visit(test_data: Path, found: Found) -> None:
    played = Played(size_wh=(480, 360))
    track_of: list[dict[int, Box]] = []
    for index, picture in stream(test_data / "videos" / "pets09_dev.mp4", stop=69):
        played.frame(index / 10, found(picture), picture)
        track_of.append({track.id: track.xyxy for track in played.tracks})
    assert 6 <= len(played.ended) <= 8
    # How often each visit's box is that of each labelled person; then one visit each, so that most agree.
    people_of = labelled_people(test_data)
    ids = sorted({person for people in people_of.values() for person in people})
    agreed = np.zeros((len(ids), len(played.ended)))
    for column, visit in enumerate(played.ended):
        for index, tracks in enumerate(track_of):
            for person, corners in people_of[index].items():
                mine = [np.array(tracks[track]) for track in visit.track_ids if track in tracks]
                agreed[ids.index(person), column] += any(overlap(box, corners) >= MATCH for box in mine)
    _, column_of, _ = lap.lapjv(-agreed, extend_cost=True)
    labelled = [sum(person in people for people in people_of.values()) for person in ids]
    share = {person: agreed[row, column_of[row]] / labelled[row] for row, person in enumerate(ids)}
    assert min(share.values()) > 0.3, share


def labelled_people(test_data: Path) -> dict[int, dict[int, np.ndarray]]:
    """By frame, counted from 0: each labelled person's corners."""
    out: dict[int, dict[int, np.ndarray]] = defaultdict(dict)
    for line in (test_data / "labelled" / "pets09" / "gt_dev_480x360.txt").read_text().splitlines():
        frame, person, x, y, width, height = (float(value) for value in line.split(",")[:6])
        out[int(frame) - 1][int(person)] = np.array([x, y, x + width, y + height])
    return out


# --- Scripts: the second person of the room enters, stands, and leaves ---


def entering(room: Room) -> list[Picture]:
    return room.run(222, 300, 2)


def standing_for(room: Room, seconds: float) -> list[Picture]:
    return room.swaying(300, 340, round(seconds * 5))


def leaving(room: Room) -> list[Picture]:
    return room.run(410, 454, 2)


def nobody_for(room: Room, seconds: float) -> list[Picture]:
    return room.nobody(round(seconds * 5))


@pytest.mark.parametrize(
    ("away_s", "visits"),
    [
        pytest.param(3, 1, id="hidden for three seconds"),
        pytest.param(9, 1, id="hidden for nine"),
        pytest.param(11, 2, id="away for eleven"),
    ],
)
def test_somebody_hidden_in_the_middle_of_the_picture(room: Room, found: Found, away_s: float, visits: int) -> None:
    clip = [*entering(room), *standing_for(room, 3), *nobody_for(room, away_s), *standing_for(room, 4), *leaving(room)]
    played = play(Clip(clip, 5), found)
    assert len(played.ended) == visits
    assert [event for _, event, _ in played.events].count("started") == visits
    states = [state for _, _, state in played.events]
    assert "out_of_sight" in states


def test_somebody_who_stands_still_for_a_minute_is_one_visit(room: Room, found: Found) -> None:
    clip = [*entering(room), *standing_for(room, 60), *leaving(room), *nobody_for(room, 11)]
    played = play(Clip(clip, 5), found)
    assert len(played.ended) == 1
    assert [event for _, event, _ in played.events] == ["started", "settled", "changed", "ended"]


@pytest.mark.parametrize("shown", [2, 3], ids=["every other frame", "every third frame"])
def test_somebody_whom_the_detector_sees_now_and_then_is_one_visit(room: Room, found: Found, shown: int) -> None:
    played = Played(size_wh=(768, 432))
    clip = Clip([*entering(room), *standing_for(room, 20), *leaving(room)], 5)
    for index, picture in enumerate(clip.frames):
        is_seen = index < 30 or index % shown == 0
        played.frame(index / clip.fps, found(picture) if is_seen else people(), picture)
    assert len(played.ended) == 1
    assert max(played.writes.values()) <= 8


@pytest.mark.parametrize("pause_s", [1.5, 3, 6])
@pytest.mark.parametrize(
    ("first", "last"), [(745, 830), (227, 312)], ids=["somebody dressed alike", "somebody who looks the same"]
)
def test_one_leaves_at_the_right_and_another_comes_in_at_the_bottom(
    room: Room, found: Found, first: int, last: int, pause_s: float
) -> None:
    clip = [*leaving(room), *nobody_for(room, pause_s), *room.run(first, last, 2)]
    assert len(play(Clip(clip, 5), found).ended) == 2


def test_somebody_who_comes_back_over_the_edge_they_left_by_is_the_same_visit(room: Room, found: Found) -> None:
    clip = [*leaving(room), *nobody_for(room, 3), *leaving(room)[::-1]]
    assert len(play(Clip(clip, 5), found).ended) == 1


def test_somebody_else_in_the_place_of_one_who_vanished_is_new(room: Room, found: Found) -> None:
    clip = [*entering(room), *standing_for(room, 3), *nobody_for(room, 3), *room.run(1280, 1330, 2)]
    assert len(play(Clip(clip, 5), found).ended) == 2


# --- Scripts with people cut out of the room and moved about in it ---


@dataclass(frozen=True)
class Walk:
    """Somebody at `start` is at `x` and walks by `speed` pixels a second until `stop`."""

    person: Cutout
    x: float
    speed: float
    start: float = 0
    stop: float = 60
    bottom: float = 400


def acted(room: Room, *walks: Walk, seconds: float, wall: tuple[int, int] | None = None) -> Clip:
    frames = []
    for index in range(round(seconds * 5)):
        at = index / 5
        frame = room.empty
        for walk in walks:
            if walk.start <= at < walk.stop:
                left = walk.x + walk.speed * (at - walk.start)
                frame = paste(frame, walk.person, left=left, bottom=walk.bottom)
        frames.append(cover(frame, room.empty, left=wall[0], right=wall[1]) if wall else frame)
    return Clip(frames, 5)


@pytest.fixture(scope="session")
def black(room: Room) -> Cutout:
    return room.cutout("black jacket").scaled(0.65)


@pytest.fixture(scope="session")
def black_too(room: Room) -> Cutout:
    return room.cutout("black shirt").scaled(0.65)


@pytest.fixture(scope="session")
def light(room: Room) -> Cutout:
    return room.cutout("light shirt").scaled(0.65)


def test_two_people_who_cross_are_two_visits(room: Room, found: Found, black: Cutout, light: Cutout) -> None:
    clip = acted(room, Walk(black, -120, 170), Walk(light, 768, -170, bottom=410), seconds=6)
    assert len(play(clip, found).ended) == 2


def test_two_people_dressed_alike_who_cross_are_two_visits(
    room: Room, found: Found, black: Cutout, black_too: Cutout
) -> None:
    clip = acted(room, Walk(black, -120, 170), Walk(black_too, 768, -170, bottom=410), seconds=6)
    assert len(play(clip, found).ended) == 2


def test_two_people_who_cross_behind_a_wall_go_on_with_their_own_visits(
    room: Room, found: Found, black: Cutout, light: Cutout
) -> None:
    walks = Walk(black, -120, 170), Walk(light, 768, -170, bottom=410)
    played = play(acted(room, *walks, seconds=5, wall=(250, 520)), found)
    assert len(played.ended) == 2
    assert all(len(visit.track_ids) == 2 for visit in played.ended)


def test_somebody_who_walks_behind_a_wall_and_on_is_one_visit(room: Room, found: Found, black: Cutout) -> None:
    played = play(acted(room, Walk(black, -120, 130), seconds=8, wall=(200, 560)), found)
    assert len(played.ended) == 1


def test_somebody_who_turns_round_behind_a_wall_is_one_visit(room: Room, found: Found, black: Cutout) -> None:
    walks = Walk(black, -120, 170, 0, 2.6), Walk(black, 320, -170, 5.6, 12)
    assert len(play(acted(room, *walks, seconds=9, wall=(280, 480)), found).ended) == 1


def test_two_people_dressed_alike_at_different_edges_are_two_visits(
    room: Room, found: Found, black: Cutout, black_too: Cutout
) -> None:
    walks = Walk(black, 300, -170, 0, 4), Walk(black_too, 768, -170, 5)
    assert len(play(acted(room, *walks, seconds=9), found).ended) == 2


def test_somebody_small_and_far_who_hides_is_one_visit_and_another_far_off_is_new(
    room: Room, found: Found, black: Cutout
) -> None:
    far = black.scaled(0.4)
    hides = Walk(far, 350, 0, 0, 4, 230), Walk(far, 350, 0, 7, 12, 230)
    assert len(play(acted(room, *hides, seconds=10), found).ended) == 1
    jumps = Walk(far, 100, 0, 0, 4, 230), Walk(far, 600, 0, 7, 12, 230)
    assert len(play(acted(room, *jumps, seconds=10), found).ended) == 2
