"""What a pulled camera costs, 1080p H.264 at 25 pictures a second of which five are analysed, quiet and busy, beside
plain OpenCV with `yolo track` on the same stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omil.bench import analysis, streams
from omil.bench.figures import median
from omil.bench.side import BenchError
from omil.bench.workplace import Workplace

SECONDS = 10.0  # Of the stream, a round.
SCENES = ("quiet", "busy")
WARM_UP = 2  # Rounds in which the gate learns its scene, and the quiet camera becomes quiet.
Report = dict[str, Any]
Round = dict[str, tuple[Report, Report]]  # Of each scene: ours, theirs.


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    with Workplace(**analysis.ENVIRONMENT) as place:
        place.manage("migrate", "--verbosity", "0")
        place.start_valkey()
        pairs = {}
        for scene in SCENES:
            path = str(getattr(streams, scene)(place.folder / f"{scene}.mp4", SECONDS))
            pairs[scene] = place.side("puller", path), place.side("opencv_track", path)
            for _ in range(WARM_UP):
                pairs[scene][0].run()
        taken = []
        for number in range(1, rounds + 1):
            taken.append({scene: (ours.run(), theirs.run()) for scene, (ours, theirs) in pairs.items()})
            say(f"pull, round {number}: " + _said(taken[-1]))
        return figures(taken)


def figures(taken: list[Round]) -> dict[str, float]:
    """Processor time per second of the stream, in cores. Each ratio is the median of the rounds' own ratios."""
    if not all(each["busy"][0]["analysed"] for each in taken):
        raise BenchError("Nothing of the busy camera was analysed.")
    measured: dict[str, float] = {}
    for scene in SCENES:
        pairs = [each[scene] for each in taken]
        ours_alone = [ours for ours, _theirs in pairs]
        measured[f"{scene}_ratio"] = median([load(ours) / load(theirs) for ours, theirs in pairs])
        measured[f"cpu_per_camera_{scene}"] = median([load(ours) for ours, _theirs in pairs], 4)
        measured[f"opencv_cpu_per_camera_{scene}"] = median([load(theirs) for _ours, theirs in pairs], 4)
        measured[f"decoded_share_{scene}"] = median([ours["decoded"] / ours["packets"] for ours in ours_alone])
        measured[f"analysed_per_s_{scene}"] = median([ours["analysed"] / ours["seconds"] for ours in ours_alone], 2)
    return measured


def load(report: Report) -> float:
    return float(report["cpu_s"] / report["seconds"])


def _said(taken: Round) -> str:
    return ", ".join(
        f"{scene} {load(ours):.3f} against {load(theirs):.3f} cores" for scene, (ours, theirs) in taken.items()
    )
