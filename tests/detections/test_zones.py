"""Areas and lines with scripted tracks: who is in, who loiters, who crosses which way, and nothing twice."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise

import msgpack
import pytest

from cameras.zones import Drawn
from detections.zones import UNSEEN_S, Happening, Standing, ZoneWatch

DOOR = Drawn(1, "Door", "line", ((0.5, 0.2), (0.5, 0.8)))  # In is to the left.
DESK = Drawn(2, "Desk", "area", ((0.6, 0.4), (0.9, 0.4), (0.9, 0.9), (0.6, 0.9)), loiter_s=10)
FPS = 5
Script = Iterable[tuple[float, list[Standing]]]


def person(x: float, y: float = 0.5, *, visit: str | None = "a", track: int = 1) -> Standing:
    return Standing(track, visit, (x, y))


def walk(*xs: float, y: float = 0.5, start: float = 0.0, seconds: float = 1.0, visit: str | None = "a") -> Script:
    """From place to place, each way in so many seconds."""
    at = start
    for a, b in pairwise(xs):
        steps = round(seconds * FPS)
        for step in range(steps):
            yield at, [person(a + (b - a) * step / steps, y, visit=visit)]
            at += 1 / FPS
    yield at, [person(xs[-1], y, visit=visit)]


def play(watch: ZoneWatch, script: Script) -> list[tuple[str, str, float]]:
    found = [event for at, people in script for event in watch.update(people, at)]
    return [(event.kind, event.direction, round(event.at, 2)) for event in found]


def watching(*zones: Drawn) -> ZoneWatch:
    return ZoneWatch(zones, gap_s=10)


def directions(events: list[tuple[str, str, float]]) -> list[str]:
    return [direction for kind, direction, _at in events if kind == "crossed"]


# --- Lines ---


@pytest.mark.parametrize(
    ("xs", "found"),
    [
        ((0.8, 0.2), ["in"]),
        ((0.2, 0.8), ["out"]),
        ((0.8, 0.2, 0.8, 0.2), ["in", "out", "in"]),
        ((0.8, 0.49, 0.8), []),  # Up to it and a little over, and back again.
        ((0.8, 0.51, 0.8), []),
        ((0.8, 0.6), []),
    ],
)
def test_a_line_is_crossed_once_for_each_way_over_it(xs: tuple[float, ...], found: list[str]) -> None:
    assert directions(play(watching(DOOR), walk(*xs))) == found


def test_who_trembles_on_a_line_crosses_it_once() -> None:
    noise = random.Random(3)
    still = [(10 + n / FPS, [person(0.5 + noise.uniform(-0.019, 0.019))]) for n in range(200)]
    script = [*walk(0.8, 0.5), *still, *walk(0.5, 0.2, start=60)]
    assert directions(play(watching(DOOR), script)) == ["in"]


def test_who_goes_round_the_end_of_a_line_does_not_cross_it() -> None:
    around = [(n / FPS, [person(x, y)]) for n, (x, y) in enumerate([(0.8, 0.5), (0.7, 0.95), (0.3, 0.95), (0.2, 0.5)])]
    watch = watching(DOOR)
    assert play(watch, around) == []
    assert directions(play(watch, walk(0.2, 0.8, start=5))) == ["out"]  # From where it is now.


def test_two_people_cross_at_once_each_on_their_own() -> None:
    script = [(at, [*one, person(1 - one[0].at[0], 0.6, visit="b", track=2)]) for at, one in walk(0.8, 0.2, seconds=2)]
    watch = watching(DOOR)
    events = [event for at, people in script for event in watch.update(people, at)]
    assert sorted((event.visit, event.direction) for event in events) == [("a", "in"), ("b", "out")]


def test_what_a_track_did_before_it_was_a_visit_counts_at_the_time_it_was_done() -> None:
    early = list(walk(0.8, 0.2, visit=None))
    late = list(walk(0.2, 0.1, start=1.2))
    assert play(watching(DOOR), early) == []
    watch = watching(DOOR)
    events = play(watch, [*early, *late])
    assert [(kind, direction) for kind, direction, _at in events] == [("crossed", "in")]
    assert events[0][2] < 1


def test_a_track_that_becomes_no_visit_counts_for_nothing() -> None:
    watch = watching(DOOR, DESK)
    assert play(watch, walk(0.8, 0.2, visit=None)) == []
    assert play(watch, walk(0.1, 0.1, start=30, visit="b")) == []
    assert watch.state()["before"] == []


# --- Areas ---


def inside(watch: ZoneWatch, at: float) -> int:
    return watch.inside(at)[DESK.id]


def test_an_area_counts_who_is_in_it_now() -> None:
    watch = watching(DESK)
    assert play(watch, walk(0.2, 0.7, start=0)) == []
    assert inside(watch, 1) == 1
    [(kind, direction, at)] = play(watch, walk(0.7, 0.75, start=1.2))
    assert (kind, direction) == ("entered", "")
    assert at == pytest.approx(1.4, abs=0.25)
    watch.update([person(0.75), person(0.8, 0.6, visit="b", track=2)], 3)
    assert inside(watch, 3) == 2
    watch.update([person(0.75)], 3.2)
    assert inside(watch, 3.2) == 2  # Hidden for a moment.
    watch.update([person(0.75)], 5)
    assert inside(watch, 5) == 1
    play(watch, walk(0.75, 0.2, 0.2, 0.2, start=5.2))
    assert inside(watch, 8.2) == 0


def test_who_only_brushes_an_area_does_not_enter_it() -> None:
    assert play(watching(DESK), [(0, [person(0.55)]), (0.2, [person(0.61)]), (0.4, [person(0.55)])]) == []


def stay(start: float, end: float, x: float = 0.7) -> Script:
    return [(start + n / FPS, [person(x)]) for n in range(round((end - start) * FPS) + 1)]


def test_who_stays_longer_loiters_once_and_enters_once() -> None:
    watch = watching(DESK)
    events = play(watch, [*stay(0, 30), *stay(31, 35, x=0.2), *stay(36, 60)])
    assert [(kind, at) for kind, _direction, at in events] == [("entered", 0.6), ("loitered", 10.2)]


@pytest.mark.parametrize(
    ("script", "loiters"),
    [
        ([*stay(0, 9.8)], False),
        ([*stay(0, 6), (6.2, [person(0.59)]), *stay(6.4, 11)], True),  # A box that trembles does not end a stay.
        ([*stay(0, 6), *stay(6.2, 8, x=0.2), *stay(8.2, 15)], False),  # Who left begins anew.
        ([*stay(0, 6), *stay(6 + UNSEEN_S - 1, 16)], True),  # Hidden: seen in it before and after.
        ([*stay(0, 6), *stay(6 + UNSEEN_S + 1, 25)], False),
    ],
)
def test_how_long_somebody_is_in_an_area(script: Script, loiters: bool) -> None:
    assert ("loitered" in {kind for kind, _, _ in play(watching(DESK), script)}) is loiters


def test_an_area_without_a_time_has_nobody_loiter() -> None:
    area = Drawn(3, "Hall", "area", DESK.points)
    assert [kind for kind, _, _ in play(watching(area), stay(0, 4_000))] == ["entered"]


# --- State ---


def test_a_run_that_is_interrupted_after_every_frame_gives_the_same() -> None:
    noise = random.Random(5)

    def frames() -> list[tuple[float, list[Standing]]]:
        found, x = [], 0.5
        for n in range(1_500):
            x = min(0.95, max(0.05, x + noise.uniform(-0.08, 0.08)))
            visit = None if n % 97 < 5 else f"visit {n // 300}"
            found.append((n / FPS, [person(x, 0.5, visit=visit, track=n // 97)]))
        return found

    script = frames()
    whole = watching(DOOR, DESK)
    expected = [event for at, people in script for event in whole.update(people, at)]
    assert {event.kind for event in expected} >= {"crossed", "entered"}
    found: list[Happening] = []
    state: dict[str, object] = {}
    for at, people in script:
        watch = ZoneWatch([DOOR, DESK], gap_s=10, state=msgpack.unpackb(msgpack.packb(state)))
        found += watch.update(people, at)
        state = watch.state()
    assert found == expected


def test_a_zone_that_was_moved_begins_anew_and_the_others_go_on() -> None:
    watch = watching(DOOR, DESK)
    play(watch, [*stay(0, 8)])
    moved = Drawn(DOOR.id, "Door", "line", ((0.4, 0.2), (0.4, 0.8)))
    after = ZoneWatch([moved, DESK], gap_s=10, state=watch.state())
    events = play(after, [*stay(8.2, 11), *walk(0.7, 0.2, start=12)])
    assert [kind for kind, _, _ in events] == ["loitered", "crossed"]


def test_who_is_gone_for_long_is_forgotten() -> None:
    watch = watching(DOOR, DESK)
    play(watch, stay(0, 3))
    watch.update([], 3 + 10 + 61)
    assert watch.state()["courses"] == []
    assert watch.state()["seen_at"] == []
