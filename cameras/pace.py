"""How fast a source may send: its credit and rate, cut when frames are refused as busy, regained when not. Pure."""

from __future__ import annotations

from dataclasses import dataclass

CUT = 0.7
CUT_EVERY_S = 1.0  # A burst of refusals is one sign of overload, not many.
REGAIN = 1.1
LEAST_FPS = 0.5


@dataclass(slots=True)
class Pace:
    """`wanted_fps` is the camera's rate; `fps` is what it is told now."""

    wanted_fps: float
    full_credit: int
    fps: float = 0.0
    credit: int = 0
    cut_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.fps, self.credit = self.wanted_fps, self.full_credit

    def answered(self, *, busy: bool, now: float) -> None:
        """Takes in an answer given at `now`, in seconds of any steady clock."""
        if busy:
            self.credit = 1
            if now - self.cut_at >= CUT_EVERY_S:
                self.cut_at = now
                self.fps = max(min(LEAST_FPS, self.wanted_fps), self.fps * CUT)
        else:
            self.fps = min(self.wanted_fps, self.fps * REGAIN)
            self.credit = self.full_credit
