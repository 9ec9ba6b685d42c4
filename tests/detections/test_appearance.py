from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detections.appearance import Box, ColourHistogram, Picture, Vector
from tests.clips import PEOPLE, Room

LOOKS = ColourHistogram()
BOX = (100.0, 50.0, 180.0, 250.0)


def person(trunk: tuple[int, int, int], legs: tuple[int, int, int]) -> Picture:
    picture = np.full((300, 300, 3), 200, np.uint8)
    picture[50:150, 100:180] = trunk
    picture[150:250, 100:180] = legs
    noise = np.random.default_rng(0).normal(0, 6, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def described(picture: Picture, box: Box = BOX) -> Vector:
    vector = LOOKS.describe(picture, box)
    assert vector is not None
    return vector


NAVY, SAND, GREY, RED = (80, 40, 30), (130, 180, 200), (128, 128, 128), (40, 40, 190)


def test_a_look_is_a_distribution_of_plain_floats() -> None:
    vector = described(person(NAVY, SAND))
    assert vector.dtype == np.float32
    assert vector.sum() == pytest.approx(1, abs=1e-5)
    assert vector.min() >= 0


def test_the_same_clothes_agree_fully() -> None:
    vector = described(person(NAVY, SAND))
    assert LOOKS.agreement(vector, vector) == pytest.approx(1, abs=1e-3)


def test_agreement_does_not_depend_on_the_order() -> None:
    a, b = described(person(NAVY, SAND)), described(person(RED, GREY))
    assert LOOKS.agreement(a, b) == LOOKS.agreement(b, a)


@pytest.mark.parametrize(
    "other",
    [
        person(SAND, NAVY),  # The same colours, the other way round.
        person(RED, SAND),  # Another trunk.
        person(NAVY, RED),  # Other legs.
        person(GREY, GREY),
    ],
)
def test_other_clothes_agree_less_than_the_same_in_other_light(other: Picture) -> None:
    before = described(person(NAVY, SAND))
    darker = (person(NAVY, SAND) * 0.93).astype(np.uint8)
    assert LOOKS.agreement(before, described(darker)) > LOOKS.agreement(before, described(other)) + 0.1


def test_size_and_background_count_for_little() -> None:
    near = person(NAVY, SAND)
    far = np.full((300, 300, 3), 90, np.uint8)
    far[100:150, 100:140] = near[50:250:4, 100:180:2]
    assert LOOKS.agreement(described(near), described(far, (98, 100, 142, 150))) > 0.7


def test_too_little_to_see_is_no_look() -> None:
    assert LOOKS.describe(person(NAVY, SAND), (100, 50, 105, 58)) is None
    assert LOOKS.describe(person(NAVY, SAND), (298, 50, 330, 250)) is None


def test_a_box_beyond_the_picture_is_described_by_what_is_inside() -> None:
    assert LOOKS.describe(person(NAVY, SAND), (60, -40, 200, 340)) is not None


def test_people_who_stand_agree_more_with_themselves_than_with_others(test_data: Path) -> None:
    room = Room(test_data / "videos")
    room.load([frame + later for frame, _ in PEOPLE.values() for later in (0, 40)])
    now = {name: described(room[frame], box) for name, (frame, box) in PEOPLE.items()}
    later = {name: described(room[frame + 40], box) for name, (frame, box) in PEOPLE.items() if frame < 1300}
    alike = {name: LOOKS.agreement(now[name], look) for name, look in later.items()}
    others = {
        (one, other): LOOKS.agreement(now[one], look)
        for one in now
        for other, look in later.items()
        if one != other and {one, other} != {"black jacket", "black shirt"}  # Two men in black from head to foot.
    }
    assert min(alike.values()) > max(others.values()) + 0.1, (alike, others)
