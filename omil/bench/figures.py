"""What rounds come to: medians and percentiles. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure is measured against; `least` or `most` of it is good."""

    key: str
    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"

    def is_met(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


AIMS = (
    Aim("pipeline.efficiency", least=0.85),
    Aim("pipeline.speedup_vs_yolo_track", least=2.2),
    Aim("latency.p50_ratio", most=2),
    Aim("latency.p95_ratio", most=5),
    Aim("gate.cost_ratio", most=0.1),
    Aim("recording.cpu_ratio", most=1.3),
    Aim("recording.picture_writes", most=1.1),
    Aim("recording.clip_writes", most=2.2),
    Aim("pull.quiet_ratio", most=0.2),
    Aim("pull.busy_ratio", most=0.5),
    Aim("record_copy.cpu_ratio", most=0.05),
    Aim("video.speed_ratio", least=0.85),
    Aim("faces.match_ms", most=10),
    Aim("api.profiles_100x5_ms", most=20),
    Aim("api.profiles_100000_ratio", most=1.5),
)


def percentile(values: Iterable[float], percent: float) -> float:
    """The value that so many percent do not exceed, interpolated between neighbours."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(rounds: Sequence[float], digits: int = 3) -> float:
    return round(statistics.median(rounds), digits)
