"""Who is next where some cameras run and others catch up, played with turns of a known length."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import pytest

from detections.turn import Share

SLICE_S = 0.2


def played(running: int, catching: int, turns: int = 400) -> list[str]:
    """The order of turns where every camera always has work: r0, r1 … run, c0, c1 … catch up."""
    waiting = deque(f"r{n}" for n in range(running))
    behind = deque(f"c{n}" for n in range(catching))
    share = Share()
    order = []
    for _ in range(turns):
        queue = behind if behind and share.is_catching_up_due(len(waiting), len(behind)) else waiting
        camera = queue.popleft()
        share.spent(SLICE_S, catching_up=camera.startswith("c"))
        queue.append(camera)
        order.append(camera)
    return order


def longest_gap(order: list[str], camera: str) -> int:
    places = [place for place, name in enumerate(order) if name == camera]
    return max(after - before - 1 for before, after in pairwise(places))


@pytest.mark.parametrize(("running", "catching"), [(1, 1), (3, 1), (1, 3), (2, 2), (5, 2), (2, 7), (4, 0)])
def test_no_running_camera_waits_longer_than_if_all_took_turns(running: int, catching: int) -> None:
    order = played(running, catching)
    assert all(longest_gap(order, f"r{n}") < running + catching for n in range(running))


@pytest.mark.parametrize(("running", "catching"), [(1, 1), (1, 3), (3, 1), (2, 7)])
def test_catching_up_takes_at_most_half_of_the_time_and_is_never_forgotten(running: int, catching: int) -> None:
    order = played(running, catching)
    turns = [camera for camera in order if camera.startswith("c")]
    assert len(turns) <= len(order) / 2 + 1
    assert len(set(turns)) == catching


def test_with_nobody_else_waiting_those_catching_up_take_all_of_it() -> None:
    assert set(played(0, 2)) == {"c0", "c1"}
