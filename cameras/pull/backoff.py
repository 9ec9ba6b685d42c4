"""How long to wait before a source is tried again. Pure; the random numbers are passed in."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

FIRST_S, MOST_S = 0.5, 10.0
# An attempt that began just before the fault ended, the pause after it and the next attempt's start fit into 15 s.
ATTEMPT_AND_PAUSE_S = 12.0
STEADY_S = 5.0  # A source that has given pictures for so long has recovered.


@dataclass(slots=True)
class Backoff:
    """Doubles from one failure to the next, with jitter: forty cameras behind one switch do not come at once."""

    draw: Callable[[], float] = random.random
    failures: int = 0

    def failed(self, *, steady_s: float, without_s: float) -> float:
        """The pause after a failure; before it pictures came for `steady_s`, and then none for `without_s`."""
        self.failures = 1 if steady_s >= STEADY_S else self.failures + 1
        longest = min(MOST_S, max(1.0, ATTEMPT_AND_PAUSE_S - without_s))
        pause = min(longest, FIRST_S * 2.0 ** min(self.failures - 1, 10))
        return pause * (0.6 + 0.4 * self.draw())
