"""The pause before a source is tried again, and that it is back within 15 seconds of its fault's end."""

from __future__ import annotations

import random

import pytest

from cameras.pull.backoff import Backoff

BACK_S = 15.0
STARTS_S = 1.0  # The next attempt's own time until its first picture.


def test_it_doubles_up_to_a_limit() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    assert [backoff.failed(steady_s=0, without_s=0) for _time in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]


def test_a_source_that_was_steady_is_tried_at_once() -> None:
    backoff = Backoff(draw=lambda: 1.0, failures=9)
    assert backoff.failed(steady_s=60, without_s=0) == 0.5


def test_one_picture_now_and_then_is_not_steady() -> None:
    backoff = Backoff(draw=lambda: 1.0, failures=9)
    assert backoff.failed(steady_s=0.5, without_s=0) == 10


def test_sources_that_failed_together_do_not_come_together() -> None:
    pauses = {
        Backoff(draw=random.Random(seed).random, failures=5).failed(steady_s=0, without_s=0) for seed in range(40)
    }
    assert len(pauses) == 40
    assert max(pauses) - min(pauses) > 2


@pytest.mark.parametrize("attempt_s", [0.0, 0.1, 1.0, 5.0, 10.0])
@pytest.mark.parametrize("down_s", [1, 30, 300, 3_600])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_it_is_back_within_15_s_of_the_faults_end(attempt_s: float, down_s: float, jitter: float) -> None:
    """Scripted time: attempts that take so long until they have failed, while the fault lasts. An attempt that began
    before the fault's end fails all the same."""
    backoff, now = Backoff(draw=lambda: jitter), 0.0
    while now < down_s:
        now += attempt_s + backoff.failed(steady_s=0, without_s=attempt_s)
    assert now + STARTS_S - down_s <= BACK_S
