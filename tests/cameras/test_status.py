from __future__ import annotations

import pytest

from cameras.analysis import AnalysisState
from cameras.entries import Entry, Flag, Kind
from cameras.presence import Presence
from cameras.status import Limits, decide
from tests.build import make_entry

NOW = 1_000.0
RUNNING = AnalysisState(is_down=False, workers=1, frame_s=0.03)
DOWN = AnalysisState(is_down=True, workers=0, frame_s=0.05)
QUIET = [make_entry(n, Kind.NO_MOTION, NOW - 5 + n * 0.2) for n in range(1, 25)]
FROZEN = [make_entry(n, Kind.NO_MOTION, NOW - 5 + n * 0.2, flags=Flag.FROZEN) for n in range(5, 25)]


def state(
    recent: list[Entry],
    *,
    waiting: Entry | None = None,
    seen: Presence | None = None,
    is_enabled: bool = True,
    analysis: AnalysisState = RUNNING,
) -> str:
    limits = Limits(silent_s=3, max_lag_s=2)
    seen = seen or Presence()
    return decide(recent, waiting, seen, is_enabled=is_enabled, analysis=analysis, limits=limits, now=NOW).state


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        ("quiet", {"recent": QUIET}),
        ("live", {"recent": QUIET, "seen": Presence(people=1)}),
        ("off", {"recent": QUIET, "is_enabled": False}),
        ("silent", {"recent": []}),
        ("silent", {"recent": [make_entry(1, Kind.NO_MOTION, NOW - 9)], "seen": Presence(people=1)}),
        ("frozen", {"recent": FROZEN, "seen": Presence(people=1)}),
        ("frozen", {"recent": [entry._replace(flags=Flag.FROZEN | Flag.OBSCURED) for entry in QUIET]}),
        ("obscured", {"recent": [entry._replace(flags=Flag.OBSCURED) for entry in QUIET]}),
        ("unanalysed", {"recent": QUIET, "waiting": make_entry(9, captured_at=NOW - 1), "analysis": DOWN}),
        ("quiet", {"recent": QUIET, "analysis": DOWN}),  # The gate still judges, and nothing waits.
        ("behind", {"recent": QUIET, "waiting": make_entry(9, captured_at=NOW - 4)}),
        ("behind", {"recent": [*QUIET, make_entry(30, Kind.BUSY, NOW - 1, size=4)]}),
        ("behind", {"recent": [make_entry(30, Kind.BUSY, NOW - 1, size=4)]}),  # Refused is not silent.
        ("quiet", {"recent": [make_entry(1, Kind.BUSY, NOW - 9), *QUIET]}),
    ],
)
def test_a_camera_that_sees_nobody_looks_different_from_one_that_sees_nothing(
    expected: str, given: dict[str, object]
) -> None:
    assert state(**given) == expected  # type: ignore[arg-type]


def test_a_frozen_camera_says_since_when() -> None:
    limits = Limits(silent_s=3, max_lag_s=2)
    moving = make_entry(1, Kind.NO_MOTION, NOW - 20)
    status = decide([moving, *FROZEN], None, Presence(), is_enabled=True, analysis=RUNNING, limits=limits, now=NOW)
    assert status.since == FROZEN[0].received_at
    assert status.fps == pytest.approx(4.0, abs=0.2)
