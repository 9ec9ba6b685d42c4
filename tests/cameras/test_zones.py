"""Zones' geometry: what is a zone, what lies in an area, and which way a line is crossed."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from cameras import zones
from cameras.zones import BadZone, Direction, Point, Points

SQUARE: Points = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
ARROW: Points = ((0.1, 0.1), (0.5, 0.4), (0.9, 0.1), (0.5, 0.9))  # Not convex.
DOWN: Points = ((0.5, 0.2), (0.5, 0.8))


@pytest.mark.parametrize(
    ("value", "is_line", "reason"),
    [
        ("0,0 1,1", False, "not_points"),
        (None, True, "not_points"),
        ([[0, 0], [1]], True, "not_points"),
        ([[0, 0], ["1", 1]], True, "not_points"),
        ([[0, 0], [True, 1]], True, "not_points"),
        ([[0, 0], [1, 1.01]], True, "outside"),
        ([[0, 0], [math.nan, 1]], True, "outside"),
        ([[0, 0]], True, "line_needs_two"),
        ([[0, 0], [1, 1], [0, 1]], True, "line_needs_two"),
        ([[0.5, 0.5], [0.5, 0.5]], True, "too_small"),
        ([[0, 0], [1, 1]], False, "corners"),
        ([[math.cos(i / 6) / 2 + 0.5, math.sin(i / 6) / 2 + 0.5] for i in range(33)], False, "corners"),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], False, "crosses_itself"),  # A bow tie.
        ([[0, 0], [1, 0], [0.5, 0], [0.5, 1]], False, "crosses_itself"),  # Back on its own side.
        ([[0, 0], [1, 0], [1, 1], [1, 0]], False, "crosses_itself"),  # The same corner twice.
        ([[0, 0], [1, 0], [1, 1], [0.5, 0], [0, 1]], False, "crosses_itself"),  # A corner on a side.
        ([[0.1, 0.1], [0.11, 0.1], [0.11, 0.105]], False, "too_small"),
    ],
)
def test_what_is_no_zone_is_refused_with_its_reason(value: object, is_line: bool, reason: str) -> None:
    with pytest.raises(BadZone) as refused:
        zones.parse(value, is_line=is_line)
    assert refused.value.reason == reason


@pytest.mark.parametrize("points", [SQUARE, ARROW, SQUARE[::-1], ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))])
def test_an_area_of_either_turn_is_taken_as_it_is(points: Points) -> None:
    assert zones.parse([list(point) for point in points], is_line=False) == points


def test_as_many_corners_as_allowed_are_taken() -> None:
    ring = [[0.5 + math.cos(i * math.tau / 32) / 2, 0.5 + math.sin(i * math.tau / 32) / 2] for i in range(32)]
    assert len(zones.parse(ring, is_line=False)) == 32


@pytest.mark.parametrize(
    ("points", "at", "inside"),
    [
        (SQUARE, (0.5, 0.5), True),
        (SQUARE, (0.1, 0.5), False),
        (SQUARE, (0.5, 0.9), False),
        (ARROW, (0.5, 0.5), True),
        (ARROW, (0.5, 0.2), False),  # In its notch.
        (ARROW, (0.2, 0.2), True),
    ],
)
def test_what_lies_in_an_area(points: Points, at: Point, inside: bool) -> None:
    assert zones.contains(points, at) is inside
    assert zones.contains(points[::-1], at) is inside


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ((0.7, 0.5), (0.3, 0.5), "in"),  # Seen from above, the line's left is the picture's right.
        ((0.3, 0.5), (0.7, 0.5), "out"),
        ((0.3, 0.5), (0.4, 0.5), None),  # Not far enough.
        ((0.3, 0.9), (0.7, 0.9), None),  # Past its end.
        ((0.3, 0.1), (0.7, 0.9), "out"),  # Across at a slant.
        ((0.5, 0.3), (0.5, 0.7), None),  # Along it.
    ],
)
def test_which_way_a_line_is_crossed(before: Point, after: Point, direction: Direction | None) -> None:
    assert zones.crosses(DOWN, before, after) == direction
    turned = {"in": "out", "out": "in", None: None}[direction]
    assert zones.crosses(DOWN[::-1], before, after) == turned


def test_a_step_onto_the_line_and_one_off_it_are_one_crossing() -> None:
    steps = [(0.7, 0.5), (0.5, 0.5), (0.3, 0.5)]
    found = [zones.crosses(DOWN, a, b) for a, b in pairwise(steps)]
    assert [direction for direction in found if direction] == ["in"]


def test_a_version_fits_into_the_header_and_is_never_none() -> None:
    assert [zones.wire_version(n) for n in (0, 1, 65_535, 65_536, 131_070, 131_071)] == [0, 1, 65_535, 1, 65_535, 1]
