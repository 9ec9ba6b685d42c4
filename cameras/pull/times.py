"""When a camera's pictures were captured, by this machine's clock, worked out from the camera's own. Pure.

The camera's clock is even but says nothing of the hour; ours knows the hour but sees each picture later than it was
taken, by a delay that varies. The least delay seen ties them together.
"""

from __future__ import annotations

from collections import deque

STALL_S = 2.0  # The camera's clock does not run so far ahead of ours, unless it was set.
WINDOW_S = 20.0  # The least delay of so long counts, so that two clocks of different speed are followed.
CREEP = 0.01  # How fast that may move later, in seconds per second; earlier it moves at once.
LEAST_S = 1e-5  # Between two pictures.


class CaptureClock:
    """Takes each packet's times as they come; both clocks may be set at any moment."""

    def __init__(self) -> None:
        self._offset: float | None = None  # Our time less the camera's.
        self._dts = 0.0
        self._now = 0.0
        self._seen: deque[tuple[float, float]] = deque()  # When a packet came, and how much later than its time.

    def captured_at(self, pts: float, dts: float, now: float) -> float:
        """`now` is the Unix time at which the packet came; `pts` and `dts` are seconds by the camera's clock."""
        apart = now - pts
        step, waited = dts - self._dts, now - self._now
        if self._offset is None or step < -LEAST_S or step > waited + STALL_S or waited < 0:
            self._offset = apart
            self._seen.clear()
        else:
            self._follow(apart, now, waited)
        self._dts, self._now = dts, now
        return pts + self._offset

    @property
    def offset(self) -> float:
        return self._offset or 0.0

    def _follow(self, apart: float, now: float, waited: float) -> None:
        assert self._offset is not None
        while self._seen and now - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        while self._seen and self._seen[-1][1] >= apart:  # Only what may yet be the least is kept.
            self._seen.pop()
        self._seen.append((now, apart))
        least = self._seen[0][1]
        self._offset = min(apart, self._offset + min(max(0.0, least - self._offset), CREEP * waited))
