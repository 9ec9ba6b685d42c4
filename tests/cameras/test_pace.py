from __future__ import annotations

import pytest

from cameras.pace import LEAST_FPS, Pace


def test_a_busy_answer_slows_the_source_and_good_ones_let_it_regain() -> None:
    pace = Pace(wanted_fps=5, full_credit=2)
    assert (pace.fps, pace.credit) == (5, 2)
    pace.answered(busy=True, now=10.0)
    assert (pace.fps, pace.credit) == (3.5, 1)
    pace.answered(busy=True, now=10.9)
    assert pace.fps == 3.5, "a burst of refusals is one sign"
    pace.answered(busy=True, now=11.0)
    assert pace.fps == pytest.approx(2.45)
    for _ in range(10):
        pace.answered(busy=False, now=12.0)
    assert (pace.fps, pace.credit) == (5, 2)


def test_it_never_stops_a_source() -> None:
    pace = Pace(wanted_fps=5, full_credit=2)
    for second in range(100):
        pace.answered(busy=True, now=second)
    assert (pace.fps, pace.credit) == (LEAST_FPS, 1)


def test_a_camera_meant_to_be_slower_than_the_least_rate_stays_at_its_own() -> None:
    pace = Pace(wanted_fps=0.2, full_credit=2)
    pace.answered(busy=True, now=0.0)
    assert pace.fps == 0.2
