"""How fast a source may send: its credit and rate, cut when frames are refused as busy, regained when not. Pure."""

from __future__ import annotations

from dataclasses import dataclass

CUT = 0.7
REGAIN = 1.05
LEAST_FPS = 0.5


@dataclass(slots=True)
class Pace:
    """`wanted_fps` is the camera's rate; `fps` is what it is told now."""

    wanted_fps: float
    full_credit: int
    fps: float = 0.0
    credit: int = 0

    def __post_init__(self) -> None:
        self.fps, self.credit = self.wanted_fps, self.full_credit

    def answered(self, *, busy: bool) -> None:
        if busy:
            self.fps = max(min(LEAST_FPS, self.wanted_fps), self.fps * CUT)
            self.credit = 1
        else:
            self.fps = min(self.wanted_fps, self.fps * REGAIN)
            self.credit = self.full_credit
