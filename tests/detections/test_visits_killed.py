from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from detections.appearance import Picture
from detections.boxes import Boxes
from detections.visits import Rules, Visits, VisitSnapshot
from tests.detections.played import Played, people, room, standing

HERE = standing(300)
RED, BLUE = (40, 40, 200), (200, 60, 40)


# --- Kills ---

Entry = Callable[[Played], object]


def scripted(seed: int) -> list[Entry]:
    """A log of everything that can be in one: people, refusals, failures, silences and late frames."""
    chance = random.Random(seed)
    entries: list[Entry] = []
    at = 0.0
    present = [False, False]

    def frame(at: float, boxes: Boxes, picture: Picture) -> Entry:
        return lambda played: played.frame(at, boxes, picture)

    for _ in range(220):
        at = round(at + chance.choice([0.1, 0.1, 0.2, 0.5]), 3)
        present = [there if chance.random() < 0.93 else not there for there in present]
        seen = [
            (standing(x + chance.gauss(0, 4)), colour)
            for there, x, colour in zip(present, (200, 420), (RED, BLUE), strict=True)
            if there and chance.random() < 0.85
        ]
        kind = chance.random()
        if kind < 0.85:
            confidences = [chance.uniform(0.15, 0.95) for _ in seen]
            entries.append(frame(at, people(*(box for box, _ in seen), confidence=confidences), room(*seen)))
        elif kind < 0.92:
            entries.append(lambda played, at=at: played.advance(at))  # type: ignore[misc]
        elif kind < 0.97:
            entries.append(lambda played, at=at: played.failed(at))  # type: ignore[misc]
        else:  # Some of what the clock thought lost comes late, some is lost.
            silent_s = chance.choice([4, 12, 20])
            entries.append(lambda played, until=at + silent_s: played.no_sight(until))  # type: ignore[misc]
            at += chance.choice([0, 0, silent_s])
    return entries


def told(played: Played) -> list[tuple[float, str, VisitSnapshot]]:
    return [(at, change.event, change.visit) for at, change in played.told]


@pytest.mark.parametrize("seed", range(6))
def test_a_run_killed_after_every_entry_tells_exactly_the_same(seed: int) -> None:
    whole, killed = Played(), Played(restarts=True)
    for entry in scripted(seed):
        entry(whole)
        entry(killed)
    assert told(whole), "The script brings nobody."
    assert told(killed) == told(whole)
    assert killed.visits.state() == whole.visits.state()


def test_the_last_entry_repeated_after_a_kill_tells_the_same_again() -> None:
    played = Played()
    played.stands(HERE, 0, 1)
    state = played.visits.state(), played.tracker.state(), played.seq
    first = played.frame(1, people(HERE)).changes
    played.visits, played.seq = Visits(1, Rules(), state[0]), state[2]
    played.tracker = type(played.tracker)(state[1])
    assert [change.event for change in first] == ["started"]
    assert played.frame(1, people(HERE)).changes == first


def test_the_state_of_another_version_is_not_read() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    state = played.visits.state()
    assert Visits(1, Rules(), state).open == played.visits.open
    assert Visits(1, Rules(), {**state, "fields": state["fields"][:-1]}).open == []
    assert Visits(1, Rules(), {"version": 0}).open == []


def test_a_snapshot_does_not_change_afterwards() -> None:
    played = Played()
    played.stands(HERE, 0, 3)
    state, snapshot = played.visits.state(), played.visits.open[0]
    before = repr(state), replace(snapshot)
    played.stands(HERE, 3, 9)
    assert (repr(state), snapshot) == before
