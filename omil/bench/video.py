"""How much of the bare models' speed the analysis of an uploaded video keeps, with people, faces and poses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from omil.bench import clips, models
from omil.bench.figures import median
from omil.bench.side import BenchError
from omil.bench.workplace import Workplace

FILMS = ("dancer_dev.mp4", "short_hamilton_clip.mp4", "head-pose-face-detection-male.mp4")
PER_S = 5.0  # Samples; the product's default.

Round = tuple[dict[str, Any], dict[str, Any]]  # The product, the bare models.


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    models.require_all()
    paths = films()
    with Workplace() as place:
        place.manage("migrate", "--verbosity", "0")
        place.start_valkey()
        product, bare = place.side("analyst", *paths), place.side("bare_video", *paths)
        taken = []
        for number in range(1, rounds + 1):
            turns = [(product.run(film=film), bare.run(film=film)) for film in range(len(paths))]
            taken.append(together(turns))
            say(f"video, round {number}: analysis {rate(taken[-1][0]):.2f}, bare {rate(taken[-1][1]):.2f} s/s")
        return figures(taken)


def films() -> list[str]:
    folder = clips.data() / "videos"
    if missing := [name for name in FILMS if not (folder / name).is_file()]:
        raise BenchError(f"There is no {', '.join(missing)} in {folder} to measure with.")
    return [str(Path(folder / name).absolute()) for name in FILMS]


def together(turns: list[Round]) -> Round:
    """The films of a round as one. Raises BenchError where the sides did not do the same."""
    ours, theirs = (_sum([turn[side] for turn in turns]) for side in (0, 1))
    if ours["samples"] != theirs["samples"]:
        raise BenchError(f"The analysis saw {ours['samples']} samples, the bare models {theirs['samples']}.")
    if not ours["people"] or not ours["profiles"] or not ours["poses"]:
        raise BenchError(f"The analysis found no people, faces or poses: {ours}.")
    return ours, theirs


def _sum(reports: list[dict[str, Any]]) -> dict[str, Any]:
    names = {name for report in reports for name in report}
    return {name: sum(report[name] for report in reports) for name in names}


def figures(taken: list[Round]) -> dict[str, float]:
    def cpu_ms(side: int) -> float:
        return median([1_000 * each[side]["cpu_s"] / each[side]["samples"] for each in taken], 1)

    return {
        "speed_ratio": median([rate(ours) / rate(theirs) for ours, theirs in taken]),
        "s_per_s": median([rate(ours) for ours, _theirs in taken], 2),
        "bare_s_per_s": median([rate(theirs) for _ours, theirs in taken], 2),
        "cpu_ms_per_sample": cpu_ms(0),
        "bare_cpu_ms_per_sample": cpu_ms(1),
        "samples": taken[-1][0]["samples"],
        "faces": taken[-1][1]["faces"],
    }


def rate(report: dict[str, Any]) -> float:
    """Seconds of film per second."""
    return float(report["film_s"] / report["seconds"])
