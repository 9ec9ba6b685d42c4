"""What an empty frame costs, from its arrival to its refusal, in parts of an analysed one; both in processor time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omil.bench import analysis, clips
from omil.bench.figures import median
from omil.bench.side import BenchError
from omil.bench.workplace import Workplace

EMPTY_FRAMES = 400  # Of a round.
ANALYSED_FRAMES = 60
WARM_UP = 20
QUIET = 0.9  # Below this share of refused frames the figure would be one of something else.


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    with Workplace(**analysis.ENVIRONMENT) as place:
        worker = analysis.start(place, clips.stays())
        doorman = place.side("doorman", clips.store(place.folder / "empty", clips.empty_room()))
        worker.fill(WARM_UP)
        worker.drain(WARM_UP)
        doorman.run(frames=EMPTY_FRAMES)  # The gate learns its scene.
        taken = []
        for number in range(1, rounds + 1):
            worker.fill(ANALYSED_FRAMES)
            taken.append((doorman.run(frames=EMPTY_FRAMES), worker.drain(ANALYSED_FRAMES)))
            empty, analysed = (cpu_ms(report) for report in taken[-1])
            say(f"gate, round {number}: empty {empty:.2f} ms, analysed {analysed:.1f} ms of processor time")
        return figures(taken)


def figures(taken: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, float]:
    refused = median([1 - empty["verdicts"]["admitted"] / empty["frames"] for empty, _analysed in taken])
    if refused < QUIET:
        raise BenchError(f"The gate refuses only {100 * refused:.0f} % of the empty room.")
    return {
        "cost_ratio": median([cpu_ms(empty) / cpu_ms(analysed) for empty, analysed in taken], 4),
        "cpu_ms_per_empty_frame": median([cpu_ms(empty) for empty, _analysed in taken]),
        "cpu_ms_per_analysed_frame": median([cpu_ms(analysed) for _empty, analysed in taken], 1),
        "refused_share": refused,
    }


def cpu_ms(report: dict[str, Any]) -> float:
    return float(1_000 * report["cpu_s"] / report["frames"])
