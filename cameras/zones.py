"""Zones as geometry: masks, areas and lines in a camera's picture. Pure; coordinates from 0 to 1, right and down.

A line has a direction: who crosses it from its left to its right, seen from its first point, goes in; else out.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal, TypeAlias, TypedDict

logger = logging.getLogger(__name__)

Point: TypeAlias = tuple[float, float]
Points: TypeAlias = tuple[Point, ...]
Direction: TypeAlias = Literal["in", "out"]

LEAST_CORNERS, MOST_CORNERS = 3, 32
MOST_ZONES = 32  # Of one camera.
LEAST_SIZE = 1e-4  # Of the picture: what is smaller was not drawn on purpose.
MOST_VERSIONS = 65_535  # The wire has 16 bits for it.


class MasksMessage(TypedDict):
    """What a page has to black out, and the version that it then says in its frames' headers."""

    masks: tuple[Points, ...]
    mask_version: int


class BadZone(ValueError):
    """Points that make no zone; `reason` is a code, said in words by whoever shows it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Masks:
    """What nobody may see of a camera, and which change of it this is; `version` is 0 before there ever was a mask."""

    version: int = 0
    polygons: tuple[Points, ...] = ()

    def message(self) -> MasksMessage:
        return {"masks": self.polygons, "mask_version": wire_version(self.version)}


@dataclass(frozen=True, slots=True)
class Drawn:
    """An area or a line, in which or over which people are counted."""

    id: int
    name: str
    kind: Literal["area", "line"]
    points: Points
    loiter_s: float | None = None


NO_MASKS = Masks()
EVERYTHING: Points = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def wire_version(version: int) -> int:
    """The version in 16 bits; 0 stays for none at all."""
    return 1 + (version - 1) % MOST_VERSIONS if version else 0


# --- Checking ---


def parse(value: object, *, is_line: bool) -> Points:
    """The points in what a form or a database holds. Raises BadZone."""
    if not isinstance(value, list | tuple):
        raise BadZone("not_points")
    points = tuple(_point(item) for item in value)
    if is_line:
        if len(points) != 2:
            raise BadZone("line_needs_two")
        if math.dist(*points) ** 2 < LEAST_SIZE:
            raise BadZone("too_small")
        return points
    if not LEAST_CORNERS <= len(points) <= MOST_CORNERS:
        raise BadZone("corners")
    if crosses_itself(points):
        raise BadZone("crosses_itself")
    if abs(_doubled_area(points)) / 2 < LEAST_SIZE:
        raise BadZone("too_small")
    return points


def _point(item: object) -> Point:
    if not isinstance(item, list | tuple) or len(item) != 2:
        raise BadZone("not_points")
    x, y = item
    if isinstance(x, bool) or isinstance(y, bool) or not isinstance(x, int | float) or not isinstance(y, int | float):
        raise BadZone("not_points")
    if not (0 <= x <= 1 and 0 <= y <= 1):  # Also NaN.
        raise BadZone("outside")
    return round(float(x), 5), round(float(y), 5)


def crosses_itself(points: Points) -> bool:
    """Whether two sides of the polygon meet anywhere but in the corner that they share."""
    sides = list(pairwise((*points, points[0])))
    for (i, one), (j, other) in combinations(enumerate(sides), 2):
        if one[0] == one[1] or other[0] == other[1]:
            return True  # Twice the same corner.
        if j == i + 1 or (i == 0 and j == len(sides) - 1):
            first, second = (one, other) if j == i + 1 else (other, one)
            if _turn(first[0], first[1], second[1]) == 0 and _is_between(first[0], second[1], first[1]):
                return True  # It goes back on itself.
        elif _meet(*one, *other):
            return True
    return False


def _is_between(a: Point, b: Point, corner: Point) -> bool:
    """Whether a and b lie on the same side of the corner that is on one line with them."""
    return (a[0] - corner[0]) * (b[0] - corner[0]) + (a[1] - corner[1]) * (b[1] - corner[1]) > 0


def _doubled_area(points: Points) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise((*points, points[0])))


# --- Where something is ---


def contains(points: Points, at: Point) -> bool:
    """Whether the area has this point inside."""
    x, y = at
    inside = False
    for (ax, ay), (bx, by) in pairwise((*points, points[0])):
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            inside = not inside
    return inside


def distance(line: Points, at: Point) -> float:
    """How far the point is from the endless line; above 0 to its right, seen from its first point."""
    (ax, ay), (bx, by) = line
    return ((bx - ax) * (at[1] - ay) - (by - ay) * (at[0] - ax)) / math.hypot(bx - ax, by - ay)


def crosses(line: Points, before: Point, after: Point) -> Direction | None:
    """Which way the step from one point to the other crosses the line, if it does."""
    if not _meet(line[0], line[1], before, after):
        return None
    was, now = distance(line, before), distance(line, after)
    if was <= 0 < now:
        return "in"
    return "out" if now <= 0 < was else None


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 where the way from a over b to c turns right (y goes down)."""
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 0.0 if abs(cross) < 1e-12 else cross


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the stretches from a to b and from c to d have a point in common."""
    to_c, to_d, to_a, to_b = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if ((to_c > 0) != (to_d > 0)) and ((to_a > 0) != (to_b > 0)) and 0.0 not in (to_c, to_d, to_a, to_b):
        return True
    return any(
        turn == 0 and _in_box(one, other, point)
        for turn, one, other, point in ((to_c, a, b, c), (to_d, a, b, d), (to_a, c, d, a), (to_b, c, d, b))
    )


def _in_box(a: Point, b: Point, at: Point) -> bool:
    return min(a[0], b[0]) <= at[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= at[1] <= max(a[1], b[1])


def as_masks(version: int, polygons: Iterable[object]) -> Masks:
    """Masks from what a database or a file holds; one that cannot be read hides everything."""
    return Masks(version, tuple(_mask(polygon) for polygon in polygons))


def _mask(value: object) -> Points:
    try:
        return parse(value, is_line=False)
    except BadZone as bad:
        logger.error("a mask that is no area (%s) hides the whole picture: %r", bad.reason, value)
        return EVERYTHING
