"""How much of the bare model's speed the whole pipeline keeps, and how it compares with `yolo track`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omil.bench import analysis, clips
from omil.bench.figures import median
from omil.bench.side import BenchError
from omil.bench.workplace import Workplace

TURNS = 3  # Of each side in a round.
FRAMES = 40  # Of a turn of the two fast sides.
TRACK_FRAMES = 15  # Of a turn of each `yolo track`.
WARM_UP = 20

ADDED = ("frames", "seconds", "cpu_s")
Reports = dict[str, dict[str, Any]]  # Of each side.


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    shots = clips.stays()
    with Workplace(**analysis.ENVIRONMENT) as place:
        worker = analysis.start(place, shots)
        bare = place.side("bare", worker.pictures)
        track = place.side("yolo_track", worker.pictures)
        if bare.about["is_fallback"]:
            raise BenchError(f"The model does not run: the detector is {bare.about['detector']}.")
        threads = place.threads
        worker.fill(WARM_UP)
        worker.drain(WARM_UP)

        def turn() -> Reports:
            worker.fill(FRAMES)
            first = worker.taken
            return {
                "bare": bare.run(first=first, frames=FRAMES),
                "pipeline": worker.drain(FRAMES),
                "track": track.run(first=first, frames=TRACK_FRAMES),
                "track_same": track.run(first=first, frames=TRACK_FRAMES, threads=threads),
            }

        taken = []
        for number in range(1, rounds + 1):
            taken.append(together([turn() for _turn in range(TURNS)]))
            say(f"pipeline, round {number}: " + _said(taken[-1]))
        return figures(taken) | {"threads": threads, "yolo_track_threads": track.about["threads"]}


def together(turns: list[Reports]) -> Reports:
    """The turns of a round as one; being short they keep the sides close together in time."""
    return {side: _sum([turn[side] for turn in turns]) for side in turns[0]}


def _sum(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """What the last one says, with the frames and times of all."""
    return {**reports[-1], **{name: sum(report[name] for report in reports) for name in ADDED}}


def figures(taken: list[Reports]) -> dict[str, float]:
    """Each ratio is the median of the rounds' own ratios, for the sides of one round shared the machine's mood."""

    def ratio(side: str) -> float:
        return median([_rate(each["pipeline"]) / _rate(each[side]) for each in taken])

    def rate(side: str) -> float:
        return median([_rate(each[side]) for each in taken], 1)

    def cpu_ms(side: str) -> float:
        return median([1_000 * each[side]["cpu_s"] / each[side]["frames"] for each in taken], 1)

    return {
        "efficiency": ratio("bare"),
        "speedup_vs_yolo_track": ratio("track"),
        "speedup_vs_yolo_track_same_threads": ratio("track_same"),
        "frames_per_s": rate("pipeline"),
        "bare_frames_per_s": rate("bare"),
        "yolo_track_frames_per_s": rate("track"),
        "yolo_track_same_threads_frames_per_s": rate("track_same"),
        "cpu_ms_per_frame": cpu_ms("pipeline"),
        "bare_cpu_ms_per_frame": cpu_ms("bare"),
        "visits": taken[-1]["pipeline"]["visits"],
    }


def _rate(report: dict[str, Any]) -> float:
    return float(report["frames"] / report["seconds"])


def _said(reports: Reports) -> str:
    return ", ".join(f"{side} {_rate(report):.1f}/s" for side, report in reports.items())
