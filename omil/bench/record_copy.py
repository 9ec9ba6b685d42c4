"""What a clip costs that is copied from a camera's own packets, beside one that is encoded from its pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omil.bench import clips, streams
from omil.bench.figures import median
from omil.bench.workplace import Workplace

SECONDS = 40.0
FPS = 5  # Of the pictures that are encoded.
SIZE = (1_920, 1_080)
Round = tuple[dict[str, Any], dict[str, Any]]  # Copied, encoded.


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    with Workplace() as place:
        pictures = clips.there_and_back(clips.long_stay(SIZE))
        pictures = (pictures * round(SECONDS * FPS / len(pictures) + 1))[: round(SECONDS * FPS)]
        copier = place.side("copier", str(streams.busy(place.folder / "stream.mp4", SECONDS)))
        encoder = place.side("encoder", clips.store(place.folder / "pictures", pictures), str(FPS))
        copier.run()
        taken = []
        for number in range(1, rounds + 1):
            taken.append((copier.run(), encoder.run()))
            copied, encoded = taken[-1]
            say(f"record_copy, round {number}: copied {copied['cpu_s']:.3f} s, encoded {encoded['cpu_s']:.3f} s")
        return figures(taken)


def figures(taken: list[Round]) -> dict[str, float]:
    return {
        "cpu_ratio": median([copied["cpu_s"] / encoded["cpu_s"] for copied, encoded in taken], 4),
        "cpu_ms_per_s": median([1_000 * copied["cpu_s"] / SECONDS for copied, _encoded in taken]),
        "encoded_cpu_ms_per_s": median([1_000 * encoded["cpu_s"] / SECONDS for _copied, encoded in taken]),
        "finish_share": median([copied["finish_cpu_s"] / copied["cpu_s"] for copied, _encoded in taken]),
        "size_ratio": median([copied["size"] / encoded["size"] for copied, encoded in taken]),
    }
