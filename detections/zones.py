"""Who is in which area, who loiters there and who crosses which line: from tracks, by capture time. Pure.

A person stands where the box's lower edge has its middle. What a track did before it became a visit is remembered and
counts once it is one. Boxes tremble: a line is crossed from well before it to well behind it, and an area is entered
and left only after a moment.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from cameras.zones import Drawn, Point, contains, crosses, distance

BESIDE = 0.02  # So near, nobody can tell on which side of a line someone is.
ENTER_S, LEAVE_S = 0.5, 1.0
UNSEEN_S = 10.0  # Who was not seen in an area for so long was not in it.
NOW_S = 1.0  # As long as someone counts as there without a box.
FORGET_S = 60.0  # After the time for which a visit may be out of sight.
BEFORE_S, MOST_BEFORE = 5.0, 64  # What is remembered of a track that is no visit yet.

Kind: TypeAlias = Literal["entered", "loitered", "crossed"]


class Standing(NamedTuple):
    """A person in this frame: the track, the visit it belongs to (None: not yet one), and where the person stands."""

    track: int
    visit: str | None
    at: Point


@dataclass(frozen=True, slots=True)
class Happening:
    """What is worth a row; `direction` is in or out for a crossing, else empty."""

    zone_id: int
    visit: str
    kind: Kind
    direction: str
    at: float


@dataclass(slots=True)
class _Course:
    """One visit and one zone. Times are capture times; all fields go into the checkpoint."""

    inside_since: float | None = None
    inside_at: float = -math.inf  # Last seen inside.
    has_entered: bool = False
    has_loitered: bool = False
    beside: list[float] = field(default_factory=list)  # The last place that was well on one side of the line.

    def values(self) -> list[Any]:
        return [self.inside_since, self.inside_at, self.has_entered, self.has_loitered, self.beside]


class ZoneWatch:
    """One camera's areas and lines; `state()` holds everything, so that a run interrupted anywhere goes on the same."""

    def __init__(self, zones: Iterable[Drawn], *, gap_s: float, state: dict[str, Any] | None = None) -> None:
        self._zones = {zone.id: zone for zone in zones}
        self._forget_s = gap_s + FORGET_S
        self._seen_at: dict[str, float] = {}
        self._courses: dict[tuple[str, int], _Course] = {}
        self._before: dict[int, deque[tuple[float, float, float]]] = {}
        self._restore(state or {})

    def _restore(self, state: dict[str, Any]) -> None:
        self._seen_at = dict(state.get("seen_at", []))
        shapes = {zone_id: _shape(zone) for zone_id, zone in self._zones.items()}
        kept = {zone_id for zone_id, shape in state.get("shapes", []) if shapes.get(zone_id) == shape}
        for visit, zone_id, values in state.get("courses", []):
            if zone_id in kept:  # What was known of a zone that has moved says nothing any more.
                self._courses[visit, zone_id] = _Course(*values)
        for track, places in state.get("before", []):
            self._before[track] = deque((tuple(place) for place in places), MOST_BEFORE)

    def state(self) -> dict[str, Any]:
        return {
            "shapes": [[zone_id, _shape(zone)] for zone_id, zone in self._zones.items()],
            "seen_at": [[visit, at] for visit, at in self._seen_at.items()],
            "courses": [[visit, zone_id, course.values()] for (visit, zone_id), course in self._courses.items()],
            "before": [[track, [list(place) for place in places]] for track, places in self._before.items()],
        }

    def update(self, people: Iterable[Standing], at: float) -> list[Happening]:
        """What this frame's people did."""
        self._forget(at)
        happened: list[Happening] = []
        for person in people:
            before = self._before.pop(person.track, None)
            if person.visit is None:
                before = before or deque(maxlen=MOST_BEFORE)
                before.append((at, *person.at))
                self._before[person.track] = before
                continue
            for earlier_at, x, y in before or ():
                if earlier_at > self._seen_at.get(person.visit, -math.inf):
                    happened += self._follow(person.visit, (x, y), earlier_at)
            happened += self._follow(person.visit, person.at, at)
        return happened

    def inside(self, at: float) -> dict[int, int]:
        """How many are in each area now."""
        counts = {zone.id: 0 for zone in self._zones.values() if zone.kind == "area"}
        for (visit, zone_id), course in self._courses.items():
            if zone_id in counts and course.inside_since is not None and at - self._seen_at[visit] <= NOW_S:
                counts[zone_id] += 1
        return counts

    # --- One visit ---

    def _follow(self, visit: str, place: Point, at: float) -> list[Happening]:
        happened: list[Happening] = []
        self._seen_at[visit] = max(at, self._seen_at.get(visit, at))
        for zone in self._zones.values():
            course = self._courses.setdefault((visit, zone.id), _Course())
            if zone.kind == "line":
                direction = _cross(course, zone, place)
                if direction:
                    happened.append(Happening(zone.id, visit, "crossed", direction, at))
            else:
                happened += [Happening(zone.id, visit, kind, "", at) for kind in _stay(course, zone, place, at)]
        return happened

    def _forget(self, at: float) -> None:
        for track in [track for track, places in self._before.items() if at - places[-1][0] > BEFORE_S]:
            del self._before[track]
        if gone := {visit for visit, seen_at in self._seen_at.items() if at - seen_at > self._forget_s}:
            self._seen_at = {visit: seen_at for visit, seen_at in self._seen_at.items() if visit not in gone}
            self._courses = {key: course for key, course in self._courses.items() if key[0] not in gone}


def _cross(course: _Course, zone: Drawn, place: Point) -> str | None:
    """In or out, where the way from the last place well on the other side leads over the line and not round its end."""
    if abs(distance(zone.points, place)) < BESIDE:
        return None
    before, course.beside = course.beside, list(place)
    return crosses(zone.points, (before[0], before[1]), place) if before else None


def _stay(course: _Course, zone: Drawn, place: Point, at: float) -> list[Kind]:
    if contains(zone.points, place):
        if course.inside_since is None or at - course.inside_at > UNSEEN_S:
            course.inside_since = at
        course.inside_at = at
    elif course.inside_since is not None and at - course.inside_at > LEAVE_S:
        course.inside_since = None
    if course.inside_since is None or course.inside_at != at:
        return []
    found: list[Kind] = []
    inside_s = at - course.inside_since
    if inside_s >= ENTER_S and not course.has_entered:
        course.has_entered = True
        found.append("entered")
    if zone.loiter_s is not None and inside_s > zone.loiter_s and not course.has_loitered:
        course.has_loitered = True
        found.append("loitered")
    return found


def _shape(zone: Drawn) -> list[Any]:
    return [zone.kind, [list(point) for point in zone.points]]
